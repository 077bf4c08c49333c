"""The command line `sre-edge`."""

from sre_edge.cli.main import main

__all__ = ["main"]
