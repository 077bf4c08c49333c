"""The server against its limits and its peers: one prediction, many subscribers, a large system.

`make bench` runs it. Absolute times depend on the machine; the ratios were measured in one run.
"""

from __future__ import annotations

from benchmarks import large_system, serving, subscribers


def main() -> None:
    """Print all figures."""
    serving.main()
    print()
    subscribers.main()
    print()
    large_system.main()


if __name__ == "__main__":
    main()
