"""Texts of the dashboard: numbers with units, names of kinds, sentences about faults."""
