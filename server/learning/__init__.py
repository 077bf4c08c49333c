"""Learning mode: recorded experiments, models, and trainings."""
