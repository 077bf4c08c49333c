"""Databases as released versions wrote them; `record.py` writes one."""
