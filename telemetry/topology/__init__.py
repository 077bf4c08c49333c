"""Topology files: what they may state, how they are read, and what monitoring knows of them."""
