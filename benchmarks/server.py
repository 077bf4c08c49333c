"""The server: one prediction, many subscribers, a large system.

`python -m benchmarks.server` prints their figures.
"""

from __future__ import annotations

from benchmarks import large_system, serving, subscribers
from benchmarks.report import show


def main() -> None:
    """Print all figures."""
    for part in (serving, subscribers, large_system):
        show(part.measure())


if __name__ == "__main__":
    main()
