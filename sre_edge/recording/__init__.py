"""Recordings of what is live, in the format that servers play: `docs/recordings.md`."""
