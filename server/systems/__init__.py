"""Systems: each a source with its pipeline, history and experiments, under one writer."""
