"""Experiments: faults that somebody asks for, and what became of them."""
