"""Evaluation of a model against simple baselines and an oracle."""
