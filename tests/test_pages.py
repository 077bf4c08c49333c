"""Every command of the documents is run, as it is written there; `documents.py` says how."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import documents
from tests.documents import COMMANDS, ROOT, Run, follows
from tests.server.store import postgres

DOCS = ROOT / "docs"
HOW_TOS = (
    "back-up",
    "grpcurl",
    "import-topology",
    "own-topology",
    "record-and-replay",
    "secure",
    "several-systems",
    "stubs",
    "train",
)
SPEED = {"tutorial.md": "8"}
"""Simulated seconds per second, where a reader has time and a test has not."""


def done(page: Path, directory: Path, replaced: dict[str, str] | None = None) -> None:
    """Do a page from top to bottom."""
    run = Run(directory, replaced or {}, SRE_EDGE_SPEED=SPEED.get(page.name, "1"))
    try:
        for block in documents.blocks(page):
            run.do(block)
    finally:
        run.close()


def test_every_command_of_the_documents_is_run() -> None:
    """Those of docs/api.md by `test_grpcurl.py`, all others here or where they say."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = {"README.md", "docs/tutorial.md", "docs/how-to/scale.md"}
    here |= {f"docs/how-to/{name}.md" for name in HOW_TOS}
    left = []
    for name in listed.stdout.split():
        for block in documents.blocks(ROOT / name):
            elsewhere = block.marks.get("elsewhere")
            if elsewhere is not None:
                lines = (ROOT / elsewhere).read_text(encoding="utf-8")
                left += [line for line in block.text.splitlines() if line not in lines]
            elif block.language in ("", *COMMANDS) and name not in here:
                in_contract = name == "docs/api.md" and block.text.startswith("$ grpcurl")
                left += [] if in_contract else [block.place]
    assert left == []


def test_what_is_shown_has_to_be_printed() -> None:
    printed = ["default", "service   replicas", "database  3", "", "done"]
    assert follows("default\nservice replicas\ndatabase 4\n\ndone\n", printed)
    assert follows("default\n…\ndone\n", printed)
    assert follows("def…\nservice …\n…\n", printed)
    assert not follows("default\nservice replicas\n", printed)
    assert not follows("default\nservice replicas\ncache 3\n…\n", printed)
    assert not follows("…\nservice replicas 3\n…\n", printed)
    assert not follows("…\ndone\ndefault\n…\n", printed)


@pytest.mark.timeout(900)
def test_the_tutorial_goes_as_it_says(tmp_path: Path) -> None:
    done(DOCS / "tutorial.md", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_readme_goes_as_it_says(tmp_path: Path) -> None:
    done(ROOT / "README.md", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", HOW_TOS)
def test_a_how_to_does_what_it_says(name: str, tmp_path: Path) -> None:
    done(DOCS / "how-to" / f"{name}.md", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_cluster_trains_and_a_database_keeps(tmp_path: Path) -> None:
    stated = "postgresql://sre_edge:secret@127.0.0.1:5432"
    with postgres.running() as server:
        done(DOCS / "how-to" / "scale.md", tmp_path, {stated: server.url.removesuffix("/postgres")})
