"""What an entry of a system states of its source, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol

from server.pipeline.clock import MAX_SPEED, MIN_SPEED
from server.ports import SourceFactory
from server.sources.recording import recording
from server.sources.simulation import SHIPPED_TOPOLOGIES, simulation
from server.systems.entry import SourceKind
from telemetry.document import shown
from telemetry.keys import Checker, Key, Place, Stated

TOPOLOGY_ENDINGS = (".yaml", ".yml", ".json")
MAX_SHOWN = 20
"""Names that an error lists, at most."""
Connect = Callable[[], SourceFactory]
"""Makes the factory of a source; raises `SourceError` if that cannot be used."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the files are that entries name.

    Attributes
    ----------
    base
        Folder of the systems file, for relative paths; None: an entry of a call, which names no
        paths.
    recordings, topologies
        Folders of what an entry of a call may name; None: it may name none.
    """

    base: Path | None = None
    recordings: Path | None = None
    topologies: Path | None = None


class SourceSpec(Protocol):
    """A source as an entry states it."""

    @property
    def kind(self) -> str:
        """Kind of the source."""
        ...

    @property
    def speed(self) -> float:
        """Seconds of its time per second."""
        ...

    def connect(self, folders: Folders, checker: Checker, place: Place) -> Connect | None:
        """Give what opens it; None if the entry may not name it, which the checker then has."""
        ...


@dataclass(frozen=True, slots=True)
class SimulationSource(Stated):
    """A simulated system."""

    kind: Annotated[str, Key("Kind of the source.", choices=("simulation",))]
    topology: Annotated[str, Key("Topology file, or name of a shipped topology.")] = "default"
    seed: Annotated[int, Key("Seed of the simulation.", least=0, most=2**63 - 1)] = 1
    speed: Annotated[float, Key(
        "Simulated seconds per second.", least=MIN_SPEED, most=MAX_SPEED)] = 1.0  # fmt: skip

    def connect(self, folders: Folders, checker: Checker, place: Place) -> Connect | None:
        """Simulate it; an entry of a call names a topology that is shipped, or of a folder."""
        topology = self.topology
        if topology in SHIPPED_TOPOLOGIES:
            return partial(simulation, topology, self.seed)
        if folders.base is not None:
            return partial(simulation, str(folders.base / topology), self.seed)
        files = topology_files(folders.topologies)
        if topology not in files:
            known = ", ".join((*SHIPPED_TOPOLOGIES, *list(files)[:MAX_SHOWN]))
            expected = f"expected a shipped topology, or one in the server's folder ({known})"
            checker.problem((*place, "topology"), f"{expected}, got {shown(topology)}")
            return None
        return partial(simulation, str(files[topology]), self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSource(Stated):
    """A recording that is played."""

    kind: Annotated[str, Key("Kind of the source.", choices=("recording",))]
    path: Annotated[str, Key("Directory of the recording.", pattern=".")]
    speed: Annotated[float, Key(
        "Recorded seconds per second.", least=MIN_SPEED, most=MAX_SPEED)] = 1.0  # fmt: skip

    def connect(self, folders: Folders, checker: Checker, place: Place) -> Connect | None:
        """Play it; an entry of a call names a recording of the server's folder."""
        if folders.base is not None:
            return partial(recording, folders.base / self.path)
        names = recording_names(folders.recordings)
        if folders.recordings is None or self.path not in names:
            known = ", ".join(names[:MAX_SHOWN]) or "there is none"
            expected = f"expected the name of a recording in the server's folder ({known})"
            checker.problem((*place, "path"), f"{expected}, got {shown(self.path)}")
            return None
        return partial(recording, folders.recordings / self.path)


def topology_files(folder: Path | None) -> dict[str, Path]:
    """Give the files in the folder of the topologies, by their names without the ending."""
    if folder is None or not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.suffix in TOPOLOGY_ENDINGS)
    return {path.stem: path for path in files if path.is_file() and path.name[0] != "."}


def recording_names(folder: Path | None) -> list[str]:
    """Give the names of the directories in the folder of the recordings."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


SOURCES: Mapping[SourceKind, type[SimulationSource] | type[RecordingSource]] = {
    SourceKind.SIMULATION: SimulationSource,
    SourceKind.RECORDING: RecordingSource,
}
"""What an entry states of each kind of source."""
