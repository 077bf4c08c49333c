"""The report of the benchmarks: figures that are known, and a quick run of all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures import Curve, Part, compared, limited
from benchmarks.fits import affine, better, power_law
from benchmarks.report import as_json, changes, page, section

FACTS = {
    "quick": False, "date": "2026-01-01 00:00 UTC", "minutes": 1.0, "versions": {"numpy": "2"},
    "machine": {"cpu": "a CPU", "cores": 2, "memory_gb": 8.0, "kernel": "Linux"},
    "load_before": 0.1, "load_after": 0.2, "paces_ms": [20.0, 30.0],
}  # fmt: skip


def part(ours: float, noise: float = 0.01) -> Part:
    values = [ours * (1.0 - noise), ours, ours * (1.0 + noise)]
    return Part(
        "a part",
        [
            limited("memory", values, "MB", 100.0),
            compared("a call", values, "us", "a peer", [200.0, 200.0, 200.0], 0.5),
        ],
        [Curve("a cost", "ms", "services", ((1.0, 2.0), (10.0, 20.0), (100.0, 200.0)))],
    )


def test_ratios_and_limits_of_known_figures() -> None:
    memory, call = part(90.0).figures
    assert (memory.value, memory.other, memory.ratio, memory.repetitions) == (90.0, 100.0, 0.9, 3)
    assert memory.met
    assert (call.ratio, call.met) == (0.45, True)
    assert call.spread == pytest.approx(0.01)
    memory, call = part(110.0).figures
    assert (memory.ratio, memory.met) == (1.1, False)
    assert (call.ratio, call.met) == (0.55, False)


def test_a_ratio_is_of_pairs_that_were_measured_together() -> None:
    # Both take twice as long when the machine is busy: that is no spread.
    figure = compared("a call", [1.0, 2.0, 4.0], "us", "a peer", [2.0, 4.0, 8.0])
    assert (figure.ratio, figure.spread, figure.met) == (0.5, 0.0, True)


def test_the_page_says_what_was_promised_and_missed() -> None:
    text = page([part(110.0)], FACTS, None)
    assert "- a part: memory, 1.1 × limit" in text
    assert "| a call | 110 us | a peer | 200 us | 0.55 | ≤ 0.5 **not met** | 3 | 1% |" in text
    assert "There is none to compare with." in text


def test_a_regression_beyond_the_spread_is_shown_with_its_size() -> None:
    last = as_json([part(80.0)], FACTS)
    text = page([part(88.0)], FACTS, last)
    listed = text[text.index("Regressions") : text.index("Improvements")]
    assert "- a part: memory, beside limit: 0.8 → 0.88 (+10%)" in listed
    assert "- a part: a call, beside a peer: 0.4 → 0.44 (+10%)" in listed
    text = page([part(72.0)], FACTS, last)
    assert "Regressions beyond the spread: none." in text
    assert "(-10%)" in text[text.index("Improvements") :]


def test_a_change_within_the_spread_is_none() -> None:
    last = as_json([part(80.0, noise=0.2)], FACTS)
    found = changes([part(88.0, noise=0.2)], last)
    assert [(round(one.relative, 3), one.beyond) for one in found] == [(0.1, False)] * 2
    once = Part("a part", [limited("memory", [160.0], "MB", 100.0)])
    assert not changes([once], last)[0].beyond


def test_what_was_measured_survives_as_json() -> None:
    last = json.loads(json.dumps(as_json([part(80.0)], FACTS)))
    assert [one.relative for one in changes([part(80.0)], last)] == [0.0, 0.0]


def test_laws_of_growth_are_found_again() -> None:
    sizes = np.array([1.0, 10.0, 100.0, 1000.0])
    power = tuple(zip(sizes, 3.0 * sizes**0.5, strict=True))
    line = tuple(zip(sizes, 7.0 + 0.25 * sizes, strict=True))
    assert (power_law(power).text, better(power).text) == ("3 · n^0.50", "3 · n^0.50")
    assert (affine(line).text, better(line).text) == ("7 + 0.25 · n", "7 + 0.25 · n")
    assert affine(line).error == pytest.approx(0.0, abs=1e-9)
    assert any("n^1.00" in row for row in section(part(1.0)))


def quick_run(out: Path, *parts: str) -> tuple[str, dict[str, object]]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out), *parts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (out / "benchmarks.md").read_text(), json.loads((out / "benchmarks.json").read_text())


def pictures(text: str, out: Path) -> bool:
    linked = [line[line.index("(") + 1 : -1] for line in text.splitlines() if line.startswith("![")]
    assert len(set(linked)) == len(linked)
    return bool(linked) and all((out / picture).stat().st_size > 5000 for picture in linked)


def test_a_quick_run_writes_the_report_and_the_next_one_compares_with_it(tmp_path: Path) -> None:
    text, kept = quick_run(tmp_path, "client", "network")
    assert "import sre_edge" in text
    assert "SimPy" in text
    assert pictures(text, tmp_path)
    assert kept["quick"] is True
    again, _ = quick_run(tmp_path, "client")
    assert f"Ratios beside those of {kept['date']}." in again


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_quick_run_of_everything(tmp_path: Path) -> None:
    text, kept = quick_run(tmp_path)
    assert pictures(text, tmp_path)
    parts = kept["parts"]
    assert isinstance(parts, list)
    assert len(parts) == 9
    for one in parts:
        assert one["figures"], one
    for peer in ("SimPy", "Ciw", "treelite", "Flask", "a bare echo call"):
        assert peer in text, peer
