"""What is observed of a system: its graph, its frames; the ground floor of everything else."""
