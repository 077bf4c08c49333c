"""Where records are, what may be said of it, and what a place that cannot be used gets."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from server.settings import Settings, default_data
from server.store import StoreLocationError, database, locate, open_store

SECRET = "hunter2-%41"  # noqa: S105 - none


def test_the_default_is_a_file_in_the_data_directory_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert default_data() == Path("/srv/data/sre-edge")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # the specification says: ignore it
    assert default_data() == Path.home() / ".local/share/sre-edge"
    found = locate(Path("/srv/data"), None)
    assert str(found) == "/srv/data/store.sqlite3"
    assert found.models == Path("/srv/data/models")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://sre:{SECRET}@127.0.0.1:1/records",
        f"postgres://sre:{SECRET}@127.0.0.1:1/records",
        f"postgresql://sre@127.0.0.1:1/records?password={SECRET}",
        f"postgresql://sre@127.0.0.1:1/records?nonsense={SECRET}&password={SECRET}",
    ],
)
def test_a_password_is_never_shown(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    found = locate(tmp_path, url)
    assert "127.0.0.1:1/records" in str(found)
    with pytest.raises(StoreLocationError) as caught:
        open_store(found)
    said = f"{found} {caught.value} {Settings(store=url)!r} {caplog.text}"
    assert "hunter2" not in said
    assert "127.0.0.1:1" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://root:hunter2@host/x", "hunter2", "sqlite://host/hunter2", "sqlite://",
            "sqlite:///:memory:", "postgresql://sre:hunter2@host:port/x", "://", "postgresql"],
)  # fmt: skip
def test_what_is_no_address_is_said_without_repeating_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreLocationError, match="SRE_EDGE_STORE: expected") as caught:
        open_store(locate(tmp_path, url))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\0" + b"x" * 99]
)
def test_a_damaged_file_is_said_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    found = locate(tmp_path, None)
    assert found.file is not None
    found.file.write_bytes(content)
    with pytest.raises(
        StoreLocationError, match=r"store.sqlite3: is damaged or not an SQLite database"
    ):
        open_store(found)
    assert found.file.read_bytes() == content


def test_a_file_whose_pages_are_damaged_is_said(tmp_path: Path) -> None:
    found = locate(tmp_path, None)
    assert found.file is not None
    open_store(found).close()
    content = bytearray(found.file.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    found.file.write_bytes(content)
    with pytest.raises(StoreLocationError, match="is damaged"):
        open_store(found)
    assert found.file.read_bytes() == bytes(content)


def test_a_locked_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    found = locate(tmp_path, None)
    open_store(found).close()
    assert found.file is not None
    other = sqlite3.connect(found.file)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreLocationError, match="is locked by another program"):
        open_store(found)
    other.close()
    open_store(found).close()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreLocationError, match=r"cannot be written .*SRE_EDGE_DATA"):
        open_store(locate(tmp_path / "file", None))
    with pytest.raises(StoreLocationError, match=r"cannot be written"):
        open_store(locate(tmp_path / "data", f"sqlite:///{tmp_path}/file/x.sqlite3"))
    (tmp_path / "directory.sqlite3").mkdir()
    with pytest.raises(StoreLocationError, match=r"cannot be written .*SRE_EDGE_STORE"):
        open_store(locate(tmp_path / "data", f"sqlite:///{tmp_path}/directory.sqlite3"))
