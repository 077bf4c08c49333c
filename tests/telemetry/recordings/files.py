"""Recordings made by hand, as anybody with a table would make them."""

from __future__ import annotations

from pathlib import Path

META = "version: 1\ninterval_s: 2\nstart_time: 2026-05-01T12:00:00Z\n"
SYSTEM = "services: [{name: edge, dependencies: [store]}, {name: store}]\n"
ROWS = ["t_s,service,latency_p95_ms,error_rate_percent"] + [
    f"{2 * k},{name},{40 + k},0" for k in range(4) for name in ("edge", "store")
]


def recording(directory: Path, rows: list[str] = ROWS, **documents: str) -> Path:
    """Write a recording; documents by the name of their file, without the ending."""
    directory.mkdir(exist_ok=True)
    stated = {"meta": META, "system": SYSTEM, **documents}
    for name, text in stated.items():
        (directory / f"{name}.yaml").write_text(text)
    (directory / "services.csv").write_text("\n".join(rows) + "\n")
    return directory
