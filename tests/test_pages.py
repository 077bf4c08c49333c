"""Every command of the documents is run, as it is written there; `documents.py` says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import documents
from tests.documents import ROOT, Run

SPEED = {"tutorial.md": "15"}
"""Simulated seconds per second in the server of a page, where a reader has time and a test has not."""


def done(page: Path, directory: Path, replaced: dict[str, str] | None = None) -> None:
    """Do a page from top to bottom."""
    run = Run(directory, replaced or {}, SRE_EDGE_SPEED=SPEED.get(page.name, "1"))
    try:
        for block in documents.blocks(page):
            run.do(block)
    finally:
        run.close()


def test_the_tutorial_goes_as_it_says(tmp_path: Path) -> None:
    done(ROOT / "docs" / "tutorial.md", tmp_path)
