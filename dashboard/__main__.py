"""`python -m dashboard`: runs `dashboard.command`, or says which extra it needs."""

from __future__ import annotations

import sys

OURS = ("dashboard", "sre_edge")

try:
    from dashboard.command import main
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] in OURS:
        raise  # a defect, which no extra mends
    sys.exit(f"the dashboard needs {error.name}: pip install 'sre-edge[dashboard]'")

if __name__ == "__main__":
    main(prog_name="python -m dashboard")
