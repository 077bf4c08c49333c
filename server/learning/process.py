"""The training process: started by the server, at low priority, and ended with it."""

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
        Job file for `python -m ml.learning`.
    """

    def __init__(self, job: Path) -> None:
        self._errors = (job.parent / "errors.log").open("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a file of ours
            [sys.executable, "-P", "-m", "ml.learning", str(job)],
            stdin=subprocess.PIPE,  # its end tells the process that the server has gone
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # Ctrl-C is for the server only. The session stays the server's: Linux shares time
            # between sessions first, and only within one does a priority count.
            process_group=0,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield its messages until it ends."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        for line in self._process.stdout:
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    yield message

    def result(self) -> str:
        """Wait for the end; return why it failed, empty if it succeeded."""
        code = self._process.wait()
        if code == 0:
            return ""
        self._errors.seek(0)
        output = self._errors.read()[-_MAX_LOGGED_CHARACTERS:].strip()
        if output:
            _log.error("training exited with code %d: %s", code, output)
        return f"the training process exited with code {code}; the log has its output"

    def kill(self) -> None:
        """Kill the process, if it is still running."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process, if it is still running, and close its files."""
        self.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                with suppress(OSError):
                    file.close()
