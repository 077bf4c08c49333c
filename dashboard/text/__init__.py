"""How the dashboard puts things: numbers with units, names of kinds, sentences about faults."""
