"""What monitoring sees of an interval, and the ground truth."""
