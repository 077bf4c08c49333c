"""Immutable records of what happens in a system, independent of the wire and the database."""
