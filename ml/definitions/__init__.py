"""Definitions of what is predicted: breaches, incidents and their types, labels, alarms, risk."""
