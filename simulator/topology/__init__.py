"""What a system is: its file, its defaults, its sizes."""
