"""Systems: each a source with its pipeline, history and experiments, with a single writer."""
