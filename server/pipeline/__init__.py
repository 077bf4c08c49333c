"""The pipeline: from the frames of a system to forecasts, alarms, incidents and events."""
