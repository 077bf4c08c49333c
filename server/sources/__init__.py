"""Adapters of the ports: one for each kind of source."""
