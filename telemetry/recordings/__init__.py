"""Recordings: directories that hold what was observed of a system, and are played like one."""
