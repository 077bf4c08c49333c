"""What the documents of a recording may state, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from telemetry.keys import Key, Stated

VERSION = 1
MAX_INTERVAL_S = 3600.0
DAY_S = 86_400.0
_RFC3339 = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"

# A key takes as few lines as it can.
# fmt: off


class _Open(Stated):
    """A mapping that may have further keys, for people or for other programs."""

    __slots__ = ()
    __pydantic_config__: ClassVar = {"extra": "ignore", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaSpec(_Open):
    """`meta.yaml`: how to read the tables."""

    version: Annotated[int, Key(
        "Version of the format, 1.", least=VERSION, most=VERSION,
        expected=f"{VERSION}, the version of the format that is read here")]
    interval_s: Annotated[float, Key(
        "Length of an interval.", "s", above=0.0, most=MAX_INTERVAL_S)]
    start_time: Annotated[str, Key(
        "Time of second 0.", pattern=_RFC3339,
        expected="a time with its zone, such as 2026-05-01T12:00:00Z")]
    made_by: Annotated[str, Key("What made it.")] = ""
    backfill_s: Annotated[float, Key(
        "So much at its beginning is past: it teaches what is normal, and is not played.", "s",
        least=0.0)] = 0.0

    @classmethod
    def mapping(cls, value: Any) -> Any:
        """Take a time that YAML has read as one already; without a zone it is UTC."""
        value = super(MetaSpec, cls).mapping(value)
        if isinstance(value, dict) and isinstance(value.get("start_time"), datetime):
            time: datetime = value["start_time"]
            value["start_time"] = time.replace(tzinfo=time.tzinfo or UTC).isoformat()
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFault(_Open):
    """A fault that acted while the recording was made."""

    target: Annotated[str, Key("Name of a service, or `caller->callee`.", pattern=".")]
    kind: Annotated[str, Key("What was done to it.", pattern=".")]
    start_s: Annotated[float, Key("When it began.", "s")]
    end_s: Annotated[float, Key("When it ended.", "s", at_least="start_s")]
    intensity: Annotated[float, Key("Strength.", least=0.0)] = 1.0
    ramp_s: Annotated[float, Key("Time until it had its full strength.", "s", least=0.0)] = 0.0
    share: Annotated[float, Key("Share of the replicas.", above=0.0, most=1.0)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyChange(Stated):
    """From when on another topology file holds."""

    t_s: Annotated[float, Key("Start of the first interval of it.", "s", least=0.0)]
    file: Annotated[str, Key(
        "Topology file of the recording.", pattern=r"^[^/\\.][^/\\]*$",
        expected="the name of a file in the directory of the recording")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsSpec(_Open):
    """`events.yaml`: what happened; deployments and notes are for people, in any form."""

    EXPECTED: ClassVar = "a mapping of faults, deployments, notes and topologies"

    faults: Annotated[Sequence[RecordedFault], Key("Faults that acted.")] = ()
    deployments: Annotated[Any, Key("What was deployed.")] = None
    notes: Annotated[Any, Key("What else is worth knowing.")] = None
    topologies: Annotated[Sequence[TopologyChange], Key("Where the graph changed.")] = ()
