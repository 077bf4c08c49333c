"""What can be done to a system, when, and what it changes."""
