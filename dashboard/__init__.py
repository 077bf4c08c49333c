"""The web dashboard: Dash and Cytoscape over the gRPC API, and nothing else."""
