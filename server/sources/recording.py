"""A recording as a source: what was observed, as if it were observed now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from server.errors import Violation, invalid, not_supported_by_source
from server.ports import Source, SourceEndedError, SourceError, SourceFactory
from telemetry.frame import Frame
from telemetry.graph import ServiceGraph
from telemetry.recordings.reading import RecordingError, read_recording
from telemetry.recordings.recording import Recording

MAX_BACKFILL_FRAMES = 1800
"""What is normal at a time that was sought is learned from so many frames before it."""


class RecordedSystem:
    """One run through a recording, or through its end; a `FrameSource`.

    Parameters
    ----------
    recording
        What is played.
    first, begin
        The first frame of the past, and the first frame that is played.
    """

    def __init__(self, recording: Recording, first: int, begin: int) -> None:
        self._recording = recording
        self._first, self._begin = first, begin
        self._next = first

    @property
    def graph(self) -> ServiceGraph:
        """The system as the latest frame shows it."""
        return self._recording.graph(max(self._next - 1, self._first))

    @property
    def interval_s(self) -> float:
        """Length of a frame, seconds."""
        return self._recording.interval_s

    @property
    def start_time(self) -> datetime:
        """Start of the first frame of the past."""
        return self._recording.time(self._first)

    @property
    def time_s(self) -> float:
        """End of what was played."""
        return (self._next - self._first) * self.interval_s

    def backfill(self) -> Iterator[Frame]:
        """Play the past."""
        while self._next < self._begin:
            yield self.next_frame()

    def next_frame(self) -> Frame:
        """Play the next frame."""
        recording, number = self._recording, self._next
        if number >= recording.frames:
            raise SourceEndedError(
                f"the recording ended at {recording.end_time:%Y-%m-%d %H:%M:%S} UTC: seek another "
                "time, or reset the system to play it again"
            )
        frame = replace(recording.frame(number), t_s=self.time_s)
        self._next += 1
        return frame


@dataclass(frozen=True, slots=True)
class RecordingFactory:
    """Plays a recording.

    Attributes
    ----------
    recording
        What is played.
    begin
        The frame that runs begin with; None: the first one that is not the past.
    """

    recording: Recording
    begin: int | None = None

    def open(self, now: datetime) -> Source:
        """Begin to play, whatever the time is."""
        recording = self.recording
        begin, first = recording.backfill, 0
        if self.begin is not None:
            begin, first = self.begin, max(0, self.begin - MAX_BACKFILL_FRAMES)
        system = RecordedSystem(recording, first, begin)
        return Source(system, warnings=recording.warnings, has_seek=True)

    def altered(self, topology: str, seed: int | None) -> SourceFactory:
        """Play it from the start; it has no other topology, and no seed."""
        if topology or seed is not None:
            raise not_supported_by_source("another topology" if topology else "a seed")
        return RecordingFactory(self.recording)

    def sought(self, time: datetime) -> SourceFactory:
        """Play it from another time on."""
        recording = self.recording
        if not recording.start_time <= time < recording.end_time:
            expected = (
                f"expected a time of the recording, {recording.start_time:%Y-%m-%dT%H:%M:%SZ} "
                f"to {recording.end_time:%Y-%m-%dT%H:%M:%SZ}"
            )
            raise invalid([Violation("time", expected)])
        return RecordingFactory(recording, recording.number_at(time))


def recording(directory: Path) -> RecordingFactory:
    """Read the recording of a directory.

    Raises
    ------
    SourceError
        If it cannot be used.
    """
    try:
        return RecordingFactory(read_recording(directory))
    except RecordingError as error:
        raise SourceError(str(error)) from error
