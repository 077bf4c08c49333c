"""The log of events: numbered by run, read at one's own pace, honest about what is gone."""

from __future__ import annotations

import pytest

from server.records.events import Event, EventKind, LoggedEvent
from server.systems.event_log import EventLog, LostEvents
from tests.server.pipeline.frames import START


def happenings(count: int) -> list[Event]:
    return [Event(EventKind.STATUS_CHANGED, START, (), str(i)) for i in range(count)]


def places(found: list[LoggedEvent]) -> list[tuple[str, int]]:
    return [(event.run_id, event.sequence) for event in found]


def read_after(log: EventLog, run_id: str, sequence: int) -> list[tuple[str, int]]:
    position, lost = log.position(run_id, sequence)
    assert lost is None
    return places(log.read(position, 100)[0])


def test_each_run_counts_from_one_and_reading_goes_on_through_the_next() -> None:
    log = EventLog()
    log.add("a", happenings(3), START)
    log.add("b", happenings(2), START)
    assert read_after(log, "a", 1) == [("a", 2), ("a", 3), ("b", 1), ("b", 2)]
    assert read_after(log, "a", 0) == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)]
    assert read_after(log, "b", 2) == []


def test_events_of_an_earlier_server_are_gone_on_from() -> None:
    before = EventLog()
    earlier = before.add("a", happenings(4), START)
    log = EventLog(earlier)
    log.add("b", happenings(1), START)
    assert read_after(log, "a", 3) == [("a", 4), ("b", 1)]
    assert read_after(log, "a", 9) == [("b", 1)]


def test_what_is_no_longer_kept_is_said() -> None:
    log = EventLog(max_events=5)
    log.add("a", happenings(8), START)
    position, lost = log.position("a", 1)
    assert lost == LostEvents("a", 2, 3)
    assert places(log.read(position, 100)[0])[0] == ("a", 4)


def test_a_run_that_is_not_known_is_said_and_the_present_one_follows() -> None:
    log = EventLog()
    log.add("a", happenings(2), START)
    log.add("b", happenings(2), START)
    position, lost = log.position("long-gone", 7)
    assert lost == LostEvents("long-gone", None, None)
    assert places(log.read(position, 100)[0]) == [("b", 1), ("b", 2)]


def test_the_future_is_refused() -> None:
    log = EventLog()
    log.add("a", happenings(2), START)
    with pytest.raises(ValueError, match="at most 2"):
        log.position("a", 3)


def test_a_reader_that_comes_too_late_is_told_what_it_missed() -> None:
    log = EventLog(max_events=5)
    log.add("a", happenings(2), START)
    start = log.latest[0]
    log.add("a", happenings(8), START)
    found, position, lost = log.read(start, 100)
    assert lost == LostEvents("a", 3, 5)
    assert places(found)[0] == ("a", 6)
    assert position == log.latest[0]
    assert log.read(position, 100) == ([], position, None)


def test_reading_goes_in_portions() -> None:
    log = EventLog()
    log.add("a", happenings(5), START)
    found, position, _ = log.read(0, 2)
    assert places(found) == [("a", 1), ("a", 2)]
    assert places(log.read(position, 2)[0]) == [("a", 3), ("a", 4)]


def test_listeners_hear_of_what_was_added() -> None:
    log, heard = EventLog(), []
    log.listen(lambda: heard.append(log.latest[0]))
    log.add("a", happenings(2), START)
    log.add("a", [], START)
    assert heard == [2]
