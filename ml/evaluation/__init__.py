"""How good a model is, beside simple baselines and an oracle."""
