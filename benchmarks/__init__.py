"""Side-by-side measurements, with their peers; see each module's docstring."""
