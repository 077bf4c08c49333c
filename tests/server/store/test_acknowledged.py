"""`kill -9` amid many changes: what was acknowledged is there, and nothing by halves."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from server.records.events import EventKind
from server.store import StoreLocation, events, open_store
from server.store.schema import metadata
from sre_edge import Client, Refused, Unavailable
from sre_edge.v1 import experiment_pb2, fault_pb2
from tests.processes import Program, wait_until

NAMES = ("east", "west", "north")
SYSTEMS = "systems:\n" + "".join(
    f"  - {{id: {name}, source: {{kind: simulation, seed: {seed}, speed: 20}}}}\n"
    for seed, name in enumerate(NAMES)
)
TARGETS = ("api-gateway", "auth-service", "user-service", "database")
SCENARIO = """
- name: game-day
  seconds: 3000
  faults:
  - {{target: {target}, kind: cpu_spike, start_s: 0, duration_s: 2000}}
  - {{target: database, kind: error_burst, start_s: 900, duration_s: 900}}
"""
CHANGES, ROUNDS = 200, 3
STOPPED, RUN_ENDED = fault_pb2.FAULT_END_STOPPED, fault_pb2.FAULT_END_RUN_ENDED


@dataclass
class Request:
    """A request for faults, and the identifiers of the faults in its answer; "" without one."""

    send: Callable[[Client], Any]
    faults: int
    experiment: str = ""
    answer: Any = None


@dataclass
class Known:
    """What one caller knows of the system that it alone changes."""

    system: str
    made: dict[str, int] = field(default_factory=dict)  # by experiment: its faults
    stopped: set[tuple[str, str]] = field(default_factory=set)
    requests: dict[str, Request] = field(default_factory=dict)  # since the latest reset
    runs: list[str] = field(default_factory=list)
    switched: bool = False
    present: set[str] = field(default_factory=set)  # systems that were added
    unanswered: str = ""  # the kind of the change that was under way at the kill
    asked: str = ""  # and its request_id, or the system that it was about


class Caller(threading.Thread):
    """Changes one system, one change after the other, until the server is gone."""

    def __init__(self, address: str, known: Known, seed: int, done: list[str]) -> None:
        super().__init__()
        self._client = Client(address, system=known.system, timeout_s=20.0)
        self._known, self._random, self._done = known, random.Random(seed), done
        self.held = threading.Event()  # nothing can be committed from now on
        self._ids = (f"{known.system}-{seed}-{n}" for n in itertools.count())

    def run(self) -> None:
        known, chosen = self._known, self._random
        weights = {
            self.inject: 10, self.scenario: 4, self.stop: 5, self.switch: 3, self.reset: 1,
            self.systems: 2,
        }  # fmt: skip
        with self._client:
            while True:
                change = chosen.choices(list(weights), list(weights.values()))[0]
                if self.held.is_set():
                    change = self.inject if known.system == NAMES[0] else self.switch
                known.unanswered, known.asked = change.__name__, ""
                try:
                    change(known)
                except Refused:
                    pass  # too many faults, or the kill switch is on: nothing has changed
                except Unavailable:
                    return
                known.unanswered = ""
                self._done.append(change.__name__)

    def inject(self, known: Known) -> None:
        target, request_id = self._random.choice(TARGETS), next(self._ids)
        request = Request(
            lambda client: client.inject(
                target, "cpu_spike", duration_s=3000, request_id=request_id
            ),
            faults=1,
        )
        self._send(known, request_id, request)

    def scenario(self, known: Known) -> None:
        document, request_id = SCENARIO.format(target=TARGETS[0]), next(self._ids)
        request = Request(
            lambda client: client.run_scenario(document, request_id=request_id), faults=2
        )
        self._send(known, request_id, request)

    def stop(self, known: Known) -> None:
        active = self._client.metrics().active_faults
        stopped = (
            self._client.stop(self._random.choice(active).id)
            if active and self._random.random() < 0.7
            else self._client.stop_all()
        )
        known.stopped |= {(one.experiment_id, one.id) for one in stopped}

    def switch(self, known: Known) -> None:
        if known.switched:
            self._client.lift_kill_switch()
        else:
            stopped = self._client.stop_all(kill_switch=True)
            known.stopped |= {(one.experiment_id, one.id) for one in stopped}
        known.switched = not known.switched

    def reset(self, known: Known) -> None:
        known.runs.append(self._client.reset(seed=self._random.randrange(100)))
        known.requests.clear()

    def systems(self, known: Known) -> None:
        if known.present and self._random.random() < 0.5:
            known.asked = self._random.choice(sorted(known.present))
            self._client.remove_system(known.asked)
            known.present.remove(known.asked)
        else:
            known.asked = f"{known.system}-more-{self._random.randrange(10**9)}"
            self._client.add_system(f"id: {known.asked}\nsource: {{kind: simulation}}")
            known.present.add(known.asked)

    def _send(self, known: Known, request_id: str, request: Request) -> None:
        known.asked = request_id
        known.requests[request_id] = request
        try:
            answer = request.send(self._client)
        except Refused:
            del known.requests[request_id]
            raise
        request.answer, request.experiment = answer, experiment_of(answer)
        known.made[request.experiment] = request.faults


def experiment_of(answer: Any) -> str:
    return str(answer.experiment_id if isinstance(answer, fault_pb2.Fault) else answer.id)


def listed(client: Client) -> dict[str, experiment_pb2.Experiment]:
    return {one.id: one for one in client.experiments(500)}


def check(client: Client, known: Known, shown: set[str], switched: bool) -> None:
    """Check what is there of a system; then send all requests again."""
    found = listed(client)
    assert {one.system for one in found.values()} <= {known.system}
    assert known.made.keys() <= found.keys()
    unknown = found.keys() - known.made.keys()
    assert len(unknown) <= (known.unanswered in ("inject", "scenario"))
    for one in found.values():  # as a whole, and over with the server
        assert one.state == experiment_pb2.EXPERIMENT_STATE_FINISHED
        assert len(one.faults) == known.made.get(one.id, 1 + (known.unanswered == "scenario"))
        assert all(fault.ended_by in (STOPPED, RUN_ENDED) for fault in one.faults)
    ended = {(one.id, fault.id): fault.ended_by for one in found.values() for fault in one.faults}
    assert {ended[place] for place in known.stopped} <= {STOPPED}
    if known.unanswered == "switch":
        known.switched = switched  # it has happened, or not
    assert switched is known.switched
    own = {name for name in shown if name.startswith(f"{known.system}-")}
    if known.unanswered == "systems":
        assert own ^ known.present <= {known.asked}
        known.present = own
    assert own == known.present

    if known.unanswered == "reset":
        known.requests.clear()  # it frees all identifiers, if it has happened
    for request_id, request in known.requests.items():
        if request.experiment:
            assert request.send(client) == request.answer, request_id
    asked = known.requests.get(known.asked)
    if asked is not None and not asked.experiment and not (known.switched and not unknown):
        asked.answer = asked.send(client)
        asked.experiment = experiment_of(asked.answer)
        if unknown:  # it was stored, and not acknowledged
            assert {asked.experiment} == unknown
        assert asked.send(client) == asked.answer
        known.made[asked.experiment] = asked.faults
    elif asked is not None and not asked.experiment:
        del known.requests[known.asked]
    known.made |= {one: len(found[one].faults) for one in unknown}
    assert listed(client).keys() == known.made.keys()  # nothing was injected twice
    known.unanswered = known.asked = ""


@contextmanager
def written_by_nobody(where: StoreLocation) -> Iterator[None]:
    """Hold what every write to the database needs."""
    engine = create_engine(where.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if where.file:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")
        yield
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "where", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_what_was_acknowledged_outlives_kill_9(where: StoreLocation, tmp_path: Path) -> None:
    path = tmp_path / "systems.yaml"
    path.write_text(SYSTEMS)
    url = "" if where.file else where.url.set(drivername="postgresql").render_as_string(False)
    chosen, known = random.Random(5), [Known(name) for name in NAMES]

    def started() -> tuple[Program, str]:
        program = Program(
            "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
            "--systems", str(path), "--data", str(where.data),
            *(("--store", url) if url else ()),
        )  # fmt: skip
        return program, program.expect(r"grpc://(\S+)")[1]

    program, address = started()
    for number in range(ROUNDS):
        done: list[str] = []
        callers = [
            Caller(address, one, 10 * number + place, done) for place, one in enumerate(known)
        ]
        for caller in callers:
            caller.start()
        after = chosen.randrange(CHANGES // 4, CHANGES)
        wait_until(lambda done=done, after=after: len(done) > after)  # type: ignore[misc]
        # At any moment of a change, the second time while nothing can be committed: whoever is
        # told before it is stored has a good third of a second to be told so.
        with written_by_nobody(where) if number % 2 else nullcontext():
            for caller in callers if number % 2 else ():
                caller.held.set()
            time.sleep(0.3 + chosen.random() / 10)
            program.process.send_signal(signal.SIGKILL)
            program.process.wait(30)
        for caller in callers:
            caller.join(60)
            assert not caller.is_alive()
        assert program.stop() == -signal.SIGKILL

        program, address = started()
        for one in known:
            with Client(address, system=one.system, timeout_s=20.0) as client:
                wait_until(lambda client=client: client.metrics())  # type: ignore[misc]
                states = {found.id: found for found in client.systems()}
                added = states.keys() - set(NAMES)
                check(client, one, set(added), states[one.system].kill_switch)
    assert program.stop() == 0
    assert sum(len(one.made) for one in known) > CHANGES // 4
    store = open_store(where)
    for one in known:
        kept = store.read(lambda c, one=one: events.latest(c, one.system))  # type: ignore[misc]
        begun = {event.run_id for event in kept if event.kind is EventKind.RUN_STARTED}
        assert set(one.runs) <= begun
    store.close()
