"""What follows a system, stage by stage, from frames alone."""
