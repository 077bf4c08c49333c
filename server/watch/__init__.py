"""What happens to the system: incidents, alarms, objectives. Pure, from frames and predictions."""
