"""What an import yields, and how names and rates become those of a topology file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from telemetry.document import DocumentError

MAX_NAME = 63


class ForeignFileError(DocumentError):
    """A file that is not what its format says, or that holds no services."""


@dataclass(frozen=True)
class Imported:
    """A topology document, and what of the file it does not hold.

    Attributes
    ----------
    document
        As `simulator.topology.file.parse_topology` takes it.
    warnings
        One sentence each.
    """

    document: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass
class Builder:
    """Collects services and calls under the names of the file.

    Attributes
    ----------
    source
        Names the file in errors.
    """

    source: str
    warnings: list[str] = field(default_factory=list)
    _labels: dict[str, str] = field(default_factory=dict)
    _services: dict[str, dict[str, Any]] = field(default_factory=dict)
    _calls: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        """Note what is not carried over; each thing once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def service(self, name: str, **keys: Any) -> None:
        """Add a service, or keys to one; None is left out."""
        known = self._services.setdefault(name, {"name": self._label(name)})
        known.update({key: value for key, value in keys.items() if value is not None})

    def call(self, caller: str, callee: str, **keys: Any) -> None:
        """Add a call; a service calling itself is left out with a warning."""
        if caller == callee:
            self.warn(f"{caller} calls itself: left out")
            return
        self.service(caller)
        self.service(callee)
        known = self._calls.setdefault((caller, callee), {})
        for key, value in keys.items():
            if key == "calls_per_request" and key in known:
                known[key] += value
            elif value is not None:
                known[key] = value

    def finish(self, name: str) -> Imported:
        """Give the document.

        Raises
        ------
        ForeignFileError
            If there is no service in it.
        """
        if not self._services:
            raise ForeignFileError([f"{self.source}: expected at least one service"])
        for caller, service in self._services.items():
            calls = [
                {"service": self._services[callee]["name"], **_rounded(keys)}
                for (calling, callee), keys in self._calls.items()
                if calling == caller
            ]
            if calls:
                service["dependencies"] = calls
        document = {"name": name, "services": [_rounded(s) for s in self._services.values()]}
        return Imported(document, tuple(self.warnings))

    def _label(self, name: str) -> str:
        """Turn a name into a unique DNS label."""
        if name in self._labels:
            return self._labels[name]
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_NAME].strip("-")
        label, number = plain or "service", 2
        while label in self._labels.values():
            label, number = f"{plain[: MAX_NAME - 4]}-{number}", number + 1
        if label != name:
            self.warn(f"{name!r} is named {label!r}")
        self._labels[name] = label
        return label


def rates(
    counts: dict[tuple[str, str], float], entering: dict[str, float]
) -> dict[tuple[str, str], float]:
    """Give the calls per request of the caller, from calls counted along edges.

    Parameters
    ----------
    counts
        Calls by (caller, callee).
    entering
        Requests that entered at a service from outside, where that is known.

    Returns
    -------
    Calls per request by edge. A service that nobody was seen to call made, by assumption, one
    request for each of its most frequent calls.
    """
    incoming: dict[str, float] = dict(entering)
    for (caller, callee), count in counts.items():
        if caller == callee:
            continue  # left out, see `Builder.call`
        incoming[callee] = incoming.get(callee, 0.0) + count
    result = {}
    for (caller, callee), count in counts.items():
        handled = incoming.get(caller, 0.0)
        if handled <= 0.0:
            handled = max(n for (other, _), n in counts.items() if other == caller)
        result[caller, callee] = count / handled if handled > 0.0 else 1.0
    return result


def number(value: Any) -> float | None:
    """Read a number that may be written as text; None if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def mappings(values: Any) -> Iterable[dict[str, Any]]:
    """Those of the values that are mappings."""
    return (
        (value for value in values if isinstance(value, dict)) if isinstance(values, list) else ()
    )


def _rounded(keys: dict[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in keys.items()}
