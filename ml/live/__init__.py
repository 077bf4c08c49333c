"""What is recorded of a live system to learn from: windows of it, their labels, their archive."""
