"""Which system a record belongs to."""

from __future__ import annotations

DEFAULT_SYSTEM = "default"
"""Id of the system that a server without a systems file has; records of before are its own."""
EVERY_SYSTEM = ""
"""Stands for all systems, where a system is named."""
