"""What is foretold: breaches, incidents, their types, labels, alarms, levels of risk."""
