"""`python -m ml`: runs `ml.command`, or says which extra it needs."""

from __future__ import annotations

import sys

OURS = ("ml", "simulator")

try:
    from ml.command import main
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] in OURS:
        raise  # a defect, which no extra mends
    sys.exit(f"the predictor needs {error.name}: pip install 'sre-edge[server]'")

if __name__ == "__main__":
    main(prog_name="python -m ml")
