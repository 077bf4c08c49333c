"""Where frames come from: one adapter of the ports per kind of source."""
