"""What monitoring sees of an interval, and what was so."""
