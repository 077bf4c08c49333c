"""The public fake keeps the contracts of the ports."""

from __future__ import annotations

import pytest

from server.ports import Source
from server.sources.scripted import START, ScriptedFactory, ScriptedFrame
from tests.server.pipeline.frames import frame, graph
from tests.server.sources.contract import (
    FaultInjectorContract,
    FrameSourceContract,
    LabelSourceContract,
)


@pytest.fixture
def source() -> Source:
    return ScriptedFactory((ScriptedFrame(graph(), frame()),), past=5).open(START)


class TestFrames(FrameSourceContract):
    pass


class TestFaults(FaultInjectorContract):
    pass


class TestLabels(LabelSourceContract):
    pass
