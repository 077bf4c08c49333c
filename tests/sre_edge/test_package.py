"""The package as those who import it get it."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys

import sre_edge.testing


def test_the_example_of_the_fake_server_works() -> None:
    assert doctest.testmod(sre_edge.testing).failed == 0
    assert doctest.testmod(sre_edge.testing).attempted > 3


def test_importing_it_takes_only_what_it_needs() -> None:
    code = "import json, sys, sre_edge; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "grpc" in loaded
    assert not loaded & {"click", "rich", "numpy", "server", "ml", "simulator", "dashboard"}
