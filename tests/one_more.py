"""One metric and one kind of fault more: what `tests/test_one_more.py` runs in a copy of the tree.

The copy has been edited by the steps of `CONTRIBUTING.md`; the stubs are made here, as by
`make protos`. Prints what arrived where, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from pathlib import Path

ROOT = Path.cwd()
METRIC, FAULT = sys.argv[1:]


def make_stubs() -> None:
    """Generate the stubs from the protos."""
    import grpc_tools
    from grpc_tools import protoc

    protos = sorted(str(path) for path in (ROOT / "protos").rglob("*.proto"))
    google = Path(grpc_tools.__file__).parent / "_proto"
    made = protoc.main(
        ["protoc", f"-I{ROOT / 'protos'}", f"-I{google}", f"--python_out={ROOT}",
         f"--grpc_python_out={ROOT}", *protos]
    )  # fmt: skip
    if made != 0:
        sys.exit(made)


def used(address: str, metrics_address: str) -> dict[str, object]:
    """Use a running server as people do."""
    from click.testing import CliRunner

    from dashboard.figures.service_charts import panels
    from dashboard.text import faults
    from sre_edge import Client
    from sre_edge.cli import main

    with Client(address) as client:
        fault = client.inject("database", FAULT, duration_s=60)
        (service,) = client.metrics(["database"]).services
        (series,) = client.history([METRIC], ["database"]).series
        catalog = client.catalog()
    with urllib.request.urlopen(f"http://{metrics_address}/metrics", timeout=10) as page:
        exported = page.read().decode()

    def command(*words: str) -> str:
        return CliRunner().invoke(main, [*words, "--target", address]).output

    return {
        "fault": fault.kind,
        "snapshot": getattr(service, METRIC),
        "history": series.last[-1],
        "exported": f'sre_edge_service_{METRIC}{{service="database",system="default"}}' in exported,
        "watched": command("watch", "database", "--count", "1"),
        "listed": command("faults"),
        "charted": [panel.metric for panel in panels(catalog)],
        "offered": [name for _, name in faults.kinds(catalog)],
        "said": faults.summary(catalog, [FAULT], 2.0),
    }


async def main() -> None:
    """Start a server, use it, and say what came of it."""
    import telemetry
    from server.app import start
    from server.settings import Settings
    from simulator.simulation import Simulation
    from simulator.topologies import shipped

    assert Path(telemetry.__file__).is_relative_to(ROOT)
    frame = Simulation(shipped("default"), seed=1).next_frame()
    app = await start(
        Settings(listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", data=ROOT / "data")
    )
    try:
        told = await asyncio.to_thread(used, app.address, app.metrics_address)
    finally:
        await app.stop()
    print(json.dumps({"frame": getattr(frame, METRIC)[0].tolist(), **told}))


if __name__ == "__main__":
    make_stubs()
    asyncio.run(main())
