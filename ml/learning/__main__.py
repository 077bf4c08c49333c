"""The training process of a server: `python -m ml.learning JOB.json`.

It writes one JSON object per line: its progress, and at the end the result. It ends when
its standard input does, so that it never outlives the server that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

MAX_NICENESS = 19
_SHARES = {
    "simulating systems": (0.0, 0.17),
    "simulating other systems": (0.17, 0.68),
    "fitting trees": (0.85, 0.01),
    "exporting": (0.86, 0.01),
    "comparing": (0.87, 0.13),
}
"""Where each stage begins among all, and how much of the time it takes."""


def main(path: Path) -> int:
    """Train what a job file says."""
    with contextlib.suppress(OSError):
        os.nice(MAX_NICENESS)
    with contextlib.suppress(OSError):  # there is none but on Linux
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, this one ends
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _say(stage="starting", share_done=0.0, message="")
    from ml.learning.booster import ContinueError
    from ml.learning.candidate import learn
    from ml.learning.job import Job
    from ml.live.archive import ExamplesError
    from ml.serving.artefact import ArtefactError
    from ml.training.export import ExportError

    try:
        manifest, verdict = learn(Job.read(path), _progress)
    except (ArtefactError, ContinueError, ExamplesError, ExportError) as error:
        _say(failed=error.problem if isinstance(error, ArtefactError) else str(error))
        return 1
    _say(
        version=manifest.version,
        better=verdict.better,
        reason=verdict.reason,
        groups=verdict.groups,
    )
    return 0


def _progress(stage: str, done: int, of: int) -> None:
    begins, takes = _SHARES[stage]
    share = begins + takes * done / max(of, 1)
    _say(stage=stage, share_done=round(share, 4), message=f"part {done} of {of}")


def _say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    while os.read(0, 1024):  # unbuffered: a buffer's lock would abort the end of the interpreter
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
