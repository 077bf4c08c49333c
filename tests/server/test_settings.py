"""Settings: from which of flag, variable and default they come."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
from click.testing import CliRunner

from server import command
from server.settings import Settings


@pytest.fixture
def stated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the settings that a server would be started with."""
    found: list[Settings] = []

    async def serve(settings: Settings) -> None:
        found.append(settings)

    monkeypatch.setattr(command, "_serve", serve)
    monkeypatch.setattr(command, "configure", lambda *_: None)

    def started(*arguments: str, **variables: str) -> Settings:
        done = CliRunner(env=variables).invoke(command.main, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return found.pop()

    return started


def test_without_flags_and_variables_everything_has_the_default_of_its_setting(
    stated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SRE_EDGE_DATA", raising=False)
    assert stated() == Settings()


def test_a_flag_comes_before_a_variable_and_a_variable_before_the_default(stated: Any) -> None:
    assert stated(SRE_EDGE_SEED="7").seed == 7
    assert stated("--seed", "9", SRE_EDGE_SEED="7").seed == 9
    assert stated("--insecure").insecure
    assert stated(SRE_EDGE_INSECURE="true").insecure
    assert stated(SRE_EDGE_SLO_MIN_RPS="2.5").slo_min_rps == 2.5


def test_every_option_is_a_setting_with_a_variable_that_the_help_names() -> None:
    settings = {field.name for field in fields(Settings)}
    help_text = CliRunner().invoke(command.main, ["--help"]).output
    for option in command.main.params:
        assert option.name in settings | {"log_level", "log_format"}
        assert f"SRE_EDGE_{str(option.name).upper()}" in help_text.replace("\n", "")


def test_a_home_directory_is_asked_for_only_if_it_is_needed() -> None:
    text = (
        "import pathlib\n"
        "pathlib.Path.home = None\n"
        "from server.settings import Settings\n"
        "from server import command\n"
        "print(Settings(data=pathlib.Path('x')).data)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "x"
