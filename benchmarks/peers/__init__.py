"""What the server is measured against; each is a program of its own."""
