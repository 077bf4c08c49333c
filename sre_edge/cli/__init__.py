"""The command line `sre-edge`."""

import os

# gRPC's C core writes notes about every connection that ends unless it is told not to.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

from sre_edge.cli.main import main

__all__ = ["main"]
