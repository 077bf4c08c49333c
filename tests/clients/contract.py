"""The contract of all clients: requests, and what must come of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent

Orders = list[dict[str, Any]]


def _read(name: str) -> Orders:
    orders: Orders = json.loads((REPOSITORY / "clients" / name).read_text())
    return orders


ORDERS = _read("contract.json")
PARTLY_OBSERVED = _read("contract-partly-observed.json")
"""What must come of calls to the system of `tests/partly_observed.py`."""


def check(order: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Compare an outcome with what is expected of it.

    Messages are expected in part: what is not mentioned may be there. "*" is anything that is not
    left out, and "..." any further elements.
    """
    name = order["name"]
    if "answers" in order:
        assert "answers" in outcome, f"{name}: {outcome}"
        assert len(outcome["answers"]) == order.get("messages", 1), name
        _match(order["answers"], outcome["answers"], name)
        return
    assert outcome.get("code") == order["code"], f"{name}: {outcome}"
    assert outcome["reason"] == order["reason"], name
    assert outcome["message"], name
    _match(order.get("metadata", {}), outcome.get("metadata", {}), name)
    violated = [one["field"] for one in outcome.get("violations", [])]
    assert violated == order.get("violations", []), name
    assert all(one["description"] for one in outcome.get("violations", [])), name


def _match(expected: Any, found: Any, place: str) -> None:
    if expected == "*":
        return
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in found, f"{place}.{key}: not in {found}"
            _match(value, found[key], f"{place}.{key}")
    elif isinstance(expected, list):
        wanted = [one for one in expected if one != "..."]
        open_end = len(wanted) < len(expected)
        assert len(found) == len(wanted) or (open_end and len(found) > len(wanted)), place
        for i, value in enumerate(wanted):
            _match(value, found[i], f"{place}[{i}]")
    else:
        assert found == expected, f"{place}: expected {expected!r}, got {found!r}"
