"""Experiments: injected faults and their outcome."""
