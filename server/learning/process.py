"""The process that trains: started beside the server, at low priority, ended with it."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_REQUIRED = ("xgboost", "sklearn", "onnxmltools", "onnx")
_MAX_LOGGED_CHARACTERS = 4000
_log = logging.getLogger(__name__)


def missing_libraries() -> list[str]:
    """Names of the libraries that training needs and that are not installed."""
    return [name for name in _REQUIRED if importlib.util.find_spec(name) is None]


class TrainingProcess:
    """One running training.

    Parameters
    ----------
    job
        File that says what to train, for `python -m ml.learning`.
    """

    def __init__(self, job: Path) -> None:
        self._errors = (job.parent / "errors.log").open("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a file of ours
            [sys.executable, "-m", "ml.learning", str(job)],
            stdin=subprocess.PIPE,  # its end tells the process that the server is gone
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # Ctrl-C is for the server alone. The session stays the server's: Linux shares time
            # between sessions first, and only within one does a priority count.
            process_group=0,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def events(self) -> Iterator[dict[str, Any]]:
        """Give what it says, until it ends."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        for line in self._process.stdout:
            with suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict):
                    yield said

    def result(self) -> str:
        """Wait for the end; why it failed, empty if it did not."""
        code = self._process.wait()
        if code == 0:
            return ""
        self._errors.seek(0)
        said = self._errors.read()[-_MAX_LOGGED_CHARACTERS:].strip()
        if said:
            _log.error("training ended with %d: %s", code, said)
        return f"the training process exited with code {code}; the log has its output"

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self._process.kill()

    def close(self) -> None:
        """End it at once, if it has not ended, and let go of its files."""
        self.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                with suppress(OSError):
                    file.close()
