"""The Python client of SRE Edge."""
