"""Labels recorded experiments, and stores them as examples."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from ml.live.archive import to_bytes
from ml.live.window import labelled
from server.learning.recorder import RecordedExperiment
from server.pipeline.snapshot import Run
from server.records.experiments import InjectedFault
from server.store import Store, learned_examples
from server.store.learned_examples import LearnedExperiment

MAX_WAITING = 8
"""Experiments that are or wait to be packed, each up to about 80 MB."""
_log = logging.getLogger(__name__)


class ExampleWriter:
    """Stores experiments outside the tick: in one thread, in their order.

    Parameters
    ----------
    store
        Database of the examples.
    added
        Called after each new experiment, with the id of its system.
    """

    def __init__(self, store: Store, added: Callable[[str], None] = lambda _: None) -> None:
        self._store = store
        self.added = added
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="examples")
        self._slots = threading.BoundedSemaphore(MAX_WAITING)

    def write(self, system: str, experiment: RecordedExperiment) -> None:
        """Store an experiment on a system soon; it is lost if too many are waiting already."""
        if self._slots.acquire(blocking=False):
            self._thread.submit(self._write, system, experiment)
        else:
            _log.error(
                "an experiment is lost to learning mode: %d are waiting already", MAX_WAITING
            )

    def close(self) -> None:
        """Finish the waiting experiments."""
        self._thread.shutdown()

    def _write(self, system: str, experiment: RecordedExperiment) -> None:
        try:
            recording = labelled(experiment.window)
            if recording is None:
                _log.info("an experiment was too short to learn from")
                return
            content = to_bytes(recording)
            first, frames = experiment.first, len(recording.label)
            row = LearnedExperiment(
                system=system,
                run_id=first.run.id,
                topology=first.run.name,
                first_sequence=first.sequence,
                started=first.time,
                ended=first.time + timedelta(seconds=frames * first.frame.interval_s),
                faults=[_plain(fault, first.run) for fault in experiment.faults],
                services=len(recording.graph.names),
                frames=frames,
                incidents=len(recording.incidents),
                bytes=len(content),
            )
            number = self._store.ask(lambda c: learned_examples.add(c, row, content))
            _log.info(
                "experiment %d on %s recorded: %d frames of %d services, %d incidents",
                number, row.topology, frames, row.services, row.incidents,
            )  # fmt: skip
            self.added(system)
        except Exception:
            _log.exception("an experiment is lost to learning mode")
        finally:
            self._slots.release()


def _plain(fault: InjectedFault, run: Run) -> dict[str, object]:
    """Convert a fault to JSON values; times are seconds since the start of the run."""
    return {
        "id": fault.id,
        "target": fault.target,
        "kind": fault.kind.value,
        "start_s": (fault.start - run.start_time).total_seconds(),
        "duration_s": fault.duration_s,
        "intensity": fault.intensity,
        "ramp_s": fault.ramp_s,
        "share": fault.share,
    }
