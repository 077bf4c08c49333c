"""The page on the architecture, its drawings, and the import contracts agree with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
PACKAGES = tuple(CONTRACTS["root_packages"])


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES)


def layers(package: str) -> dict[str, Any]:
    """The contract on the rooms of a package."""
    (found,) = (one for one in CONTRACTS["contracts"] if one.get("containers") == [package])
    return dict(found)


def test_the_drawing_of_imports_is_what_is_imported(imports: grimp.ImportGraph) -> None:
    (drawing,) = re.findall(r"Who imports whom:\n+```mermaid\n(.*?)```", PAGE, re.S)
    drawn = set(re.findall(r"^  (\w+) (?:-- [^>]+ )?--> (\w+)$", drawing, re.M))
    real = {
        (importer.split(".")[0], imported.split(".")[0])
        for importer in imports.modules
        for imported in imports.find_modules_directly_imported_by(importer)
    }
    assert drawn == {(importer, imported) for importer, imported in real if importer != imported}


@pytest.mark.parametrize("package", ["simulator", "ml", "server"])
def test_every_room_has_its_floor_in_a_contract(package: str, imports: grimp.ImportGraph) -> None:
    floors = {name for layer in layers(package)["layers"] for name in layer.split(" : ")}
    rooms = {child.removeprefix(f"{package}.") for child in imports.find_children(package)}
    assert floors == rooms - {"models"}


@pytest.mark.parametrize("package", ["simulator", "ml", "server"])
def test_the_page_lists_the_rooms_from_the_ground_up(package: str) -> None:
    (part,) = re.findall(rf"^## Inside `{package}/`\n(.*?)(?=^## )", PAGE, re.M | re.S)
    cells = [row.split("|")[1] for row in part.splitlines() if row.startswith("| `")]
    listed = [name for cell in cells for name in re.findall(r"`(\w+)/`", cell)]
    stated = [set(layer.split(" : ")) for layer in reversed(layers(package)["layers"])]
    floor = {name: level for level, names in enumerate(stated) for name in names}
    known = [floor[name] for name in listed if name in floor]
    assert len(known) > 3
    assert known == sorted(known)
