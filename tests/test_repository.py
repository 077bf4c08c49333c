"""What the repository promises about itself."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_imports_go_one_way() -> None:
    done = run(str(BIN / "lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout


def test_stubs_match_the_protos() -> None:
    done = run("make", "protos-check")
    assert done.returncode == 0, done.stderr


def test_protos_pass_buf_lint() -> None:
    done = run(str(BIN / "buf"), "lint", cwd=ROOT / "protos")
    assert done.returncode == 0, done.stdout


def test_protos_stay_compatible_and_a_change_that_breaks_clients_is_found(tmp_path: Path) -> None:
    changed = tmp_path / "protos"
    shutil.copytree(ROOT / "protos", changed)
    breaking = (str(BIN / "buf"), "breaking", "--against", "released.binpb")
    done = run(*breaking, cwd=changed)
    assert done.returncode == 0, done.stdout
    snapshot = changed / "sre_edge" / "v1" / "snapshot.proto"
    snapshot.write_text(snapshot.read_text().replace("cpu_percent", "cpu_share"))
    done = run(*breaking, cwd=changed)
    assert done.returncode != 0
    assert "cpu_percent" in done.stdout


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_hold_exact_versions_with_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 50
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_the_lock_of_the_typescript_client_holds_hashes_and_no_address() -> None:
    text = (ROOT / "clients" / "typescript" / "package-lock.json").read_text()
    assert "://" not in text  # nor those of sponsors, which `make lock` leaves out
    lock = json.loads(text)
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name


def test_both_locks_agree() -> None:
    # Without markers: what one tool needs everywhere, a server may need on some machines alone.
    runtime, development = (
        set(re.findall(r"^\S+==\S+(?=(?: ;.*?)? \\)", lock.read_text(), re.MULTILINE))
        for lock in (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")
    )
    assert runtime
    assert runtime <= development


def test_every_target_is_explained_by_make_help_and_in_contributing() -> None:
    rules = set(re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets = {name for rule in rules for name in rule.split()}
    helped = set(re.findall(r"^  make (\S+) +\S", run("make", "help").stdout, re.MULTILINE))
    assert helped == targets
    told = set(re.findall(r"`make ([a-z-]+)", (ROOT / "CONTRIBUTING.md").read_text()))
    assert told == {name for name in targets if not name.startswith("client-")} - {"help"}


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_program_that_is_missing_skips_its_tests_and_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    for variable, value in {"CI": ci, "HOME": str(tmp_path), "PATH": str(tmp_path)}.items():
        monkeypatch.setenv(variable, value)
    done = run(sys.executable, "-m", "pytest", "tests/test_deploy.py", "-k", "rules_are_valid")
    if ci:
        assert done.returncode == 1
        assert "promtool is not installed" in done.stdout
    else:
        assert done.returncode == 0, done.stdout
        assert "because a program is not installed: promtool (2)." in done.stdout
        assert "make test-tools" in done.stdout


def test_what_is_missing_is_installed_and_what_is_there_is_left_alone(tmp_path: Path) -> None:
    for name in ("bash", "env", "id", "mkdir"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    there = ("chromium", "promtool", "node", "npm", "javac", "mvn", "grpcurl", "sed")
    programs = {
        "apt-get": f'echo "$*" >>{tmp_path}/installed',
        "sudo": '"$@"',
        "go": "echo go1.26.0",
        **dict.fromkeys(there, ""),
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [ROOT / "tools" / "test_tools.sh"], capture_output=True, text=True, check=False,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "installed").read_text().splitlines()
    assert asked[0] == "update -qq"
    assert asked[1].endswith(" jq")
    assert not any(word in str(asked[2:]) for word in ("chromium", "maven", "golang", "update"))


def test_the_hooks_of_pre_commit_are_what_make_lint_does() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    done = (ROOT / "Makefile").read_text().partition("\nlint: ")[2].partition("\n\n")[0]
    done = " ".join(done.replace("\\\n", " ").replace("$(BIN)", ".venv/bin").split())
    for hook in hooks:
        entry = hook["entry"].removesuffix(" --force-exclude").removeprefix("make ")
        assert entry.removeprefix('sh -c "').removesuffix('"') in done, hook["id"]


@pytest.mark.slow
def test_the_hooks_of_pre_commit_pass_and_fetch_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path))
    done = run(str(BIN / "pre-commit"), "run", "--all-files", "--show-diff-on-failure")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Passed") == 6
    assert not list(tmp_path.glob("repo*"))


def test_links_in_the_documents_lead_somewhere() -> None:
    documents = [ROOT / name for name in run("git", "ls-files", "*.md").stdout.splitlines()]
    assert documents
    broken = [
        f"{document.relative_to(ROOT)}: {link}#{place}"
        for document in documents
        for link, place in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text())
        if not leads_somewhere(document.parent / link if link else document, place)
    ]
    assert not broken, broken


def leads_somewhere(path: Path, place: str) -> bool:
    """Whether there is such a file or folder, and in a document the heading that is linked to."""
    if not place or path.suffix != ".md":
        return path.exists()
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE) if path.exists() else []
    return place in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
