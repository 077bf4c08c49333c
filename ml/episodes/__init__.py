"""Simulated episodes of systems: what happens in them, and what would have been."""
