"""The command line of the simulator: `python -m simulator`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import IO, Any, NoReturn

import click
import numpy as np
import yaml

from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario, ScenarioError, load_scenarios, read_fault
from simulator.importers import FORMATS
from simulator.simulation import Simulation
from simulator.statistics import RunStatistics
from simulator.topologies import SHIPPED, shipped
from simulator.topology.file import load_topology, parse_topology
from simulator.topology.generator import random_document
from simulator.topology.resolved import Topology
from telemetry.document import DocumentError, read
from telemetry.faults import Fault
from telemetry.frame import FRAME_INTERVAL_S, Frame
from telemetry.keys import Checker
from telemetry.metrics import SERVICE_METRICS

FAULT_FORM = "TARGET:KIND:START_S:DURATION_S[:INTENSITY[:RAMP_S]]"


class Finite(click.FloatRange):
    """A number in a range; neither infinite nor NaN."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an option."""
        number = float(super().convert(value, param, ctx))
        if not np.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Simulate a system of microservices offline."""


@main.command()
@click.option(
    "--topology", "source", default="default", metavar="FILE",
    help=f"Topology file, or one of the shipped ones: {', '.join(SHIPPED)}.",
)  # fmt: skip
@click.option(
    "--seconds",
    type=Finite(min=FRAME_INTERVAL_S),
    help="Simulated time in seconds; default: the scenario's, else 600.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the simulation.")
@click.option(
    "--copies",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Independent copies that run together.",
)
@click.option(
    "--warmup",
    type=Finite(min=0.0),
    default=0.0,
    show_default=True,
    help="Seconds at the start that are not counted.",
)
@click.option(
    "--scenario",
    "scenario_file",
    type=click.Path(dir_okay=False),
    help="Scenario file: load and faults; its first scenario unless --scenario-name.",
)
@click.option("--scenario-name", help="Name of the scenario in the file.")
@click.option(
    "--fault", "fault_texts", multiple=True, metavar=FAULT_FORM, help="Fault to inject; repeatable."
)
@click.option(
    "--json",
    "json_out",
    type=click.File("w"),
    help="Write the report to this file; - is standard output.",
)
@click.option(
    "--csv", "csv_out", type=click.File("w"), help="Write every frame of every copy to this file."
)
def run(
    source: str,
    seconds: float | None,
    seed: int,
    copies: int,
    warmup: float,
    scenario_file: str | None,
    scenario_name: str | None,
    fault_texts: tuple[str, ...],
    json_out: IO[str] | None,
    csv_out: IO[str] | None,
) -> None:
    """Run a system and report each service over all copies after the warm-up.

    Example: python -m simulator run --seconds 300 --fault database:service_kill:60:30
    """
    try:
        topology = shipped(source) if source in SHIPPED else load_topology(source)
        for warning in topology.warnings:
            click.echo(f"warning: {warning}", err=True)
        scenario = _scenario(topology, scenario_file, scenario_name)
        faults = [*scenario.faults, *(_fault(text, topology) for text in fault_texts)]
    except DocumentError as error:
        _fail(str(error))
    length = scenario.seconds if seconds is None else seconds
    for fault in faults:
        if fault.start_s >= length:
            _fail(f"fault {fault.kind} on {fault.target}: expected to begin before the end of the "
                  f"run, {length:g} s, got {fault.start_s:g}")  # fmt: skip
    if warmup >= length:
        _fail(f"--warmup: expected less than the {length:g} s of the run, got {warmup:g}")
    simulation = Simulation(topology, copies=copies, seed=seed, loads=[scenario.load] * copies)
    for fault in faults:
        simulation.inject(fault)
    statistics = RunStatistics(simulation)
    table = _CsvWriter(csv_out, simulation) if csv_out else None
    for frame in _frames(simulation, length):
        if table:
            table.add(frame)
        if frame.t_s >= warmup:
            statistics.add(frame)
    report: dict[str, Any] = {
        "topology": topology.name,
        "seconds": length,
        "copies": copies,
        "services": statistics.report(),
    }
    if json_out:
        json.dump(report, json_out, indent=2)
        json_out.write("\n")
    if json_out is None or json_out.name != "<stdout>":
        _show(report["services"])


@main.command()
@click.option(
    "--services",
    type=click.IntRange(min=2, max=20_000),
    required=True,
    help="Number of services.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the generator.",
)
@click.option(
    "--out", type=click.File("w"), default="-", help="Output file; default: standard output."
)
def generate(services: int, seed: int, out: IO[str]) -> None:
    """Generate a random realistic system as a topology file.

    The format is YAML, or JSON if the name ends in .json, which loads faster for thousands of
    services.
    """
    document = random_document(services, seed)
    if out.name.endswith(".json"):
        json.dump(document, out, indent=1)
        out.write("\n")
    else:
        out.write(_yaml(document))


@main.command("import")
@click.option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="Format of the file.",
)
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "--out", type=click.File("w"), default="-", help="Output file; default: standard output."
)
def import_(name: str, file: str, out: IO[str]) -> None:
    """Convert FILE, a file of another format, to a topology file; warns of what is left out."""
    try:
        imported = FORMATS[name](read(file), file)
        topology = parse_topology(imported.document, source=f"{file}, imported")
    except DocumentError as error:
        _fail(str(error))
    for warning in (*imported.warnings, *topology.warnings):
        click.echo(f"warning: {warning}", err=True)
    out.write(_yaml(imported.document))


def _yaml(document: dict[str, Any]) -> str:
    text: str = yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)
    return text


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _frames(simulation: Simulation, seconds: float) -> Iterator[Frame]:
    count = max(1, round(seconds / FRAME_INTERVAL_S))
    steps = range(count)
    with click.progressbar(steps, label="simulating", file=sys.stderr) as bar:
        for _ in bar:
            yield simulation.next_frame()


def _scenario(topology: Topology, path: str | None, name: str | None) -> Scenario:
    if path is None:
        return Scenario("steady", 600.0, Load(), ())
    scenarios = load_scenarios(path, topology.graph())
    if name is None:
        return scenarios[0]
    for scenario in scenarios:
        if scenario.name == name:
            return scenario
    known = ", ".join(scenario.name for scenario in scenarios)
    raise ScenarioError([f"{path}: expected one of {known}, got {name!r}"])


def _fault(text: str, topology: Topology) -> Fault:
    checker = Checker(f"--fault {text}")
    target, *rest = text.split(":")
    if not 3 <= len(rest) <= 5:
        raise ScenarioError([f"{checker.source}: expected {FAULT_FORM}"])
    numbers = zip(("start_s", "duration_s", "intensity", "ramp_s"), rest[1:], strict=False)
    stated = {"target": target, "kind": rest[0]} | {key: _number(value) for key, value in numbers}
    return checker.passed(read_fault(checker, stated, topology.graph()), ScenarioError)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # the check says what was expected


class _CsvWriter:
    """Writes frames as CSV: copy, time, service, and the frame's values."""

    def __init__(self, out: IO[str], simulation: Simulation) -> None:
        self._writer = csv.writer(out)
        self._names = simulation.graph.names
        named = {metric.field for metric in SERVICE_METRICS}
        self._fields = [field.name for field in fields(Frame) if field.name in named]
        self._writer.writerow(["copy", "t_s", "service", *self._fields])

    def add(self, frame: Frame) -> None:
        columns = [getattr(frame, name) for name in self._fields]
        for copy in range(len(columns[0])):
            for i, name in enumerate(self._names):
                values = [_cell(column[copy, i]) for column in columns]
                self._writer.writerow([copy, f"{frame.t_s:g}", name, *values])


def _cell(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""


def _show(services: dict[str, dict[str, Any]]) -> None:
    width = max(len("service"), *(len(name) for name in services))
    heads = ("mean ms", "p95 ms", "busy %", "req/s", "errors %", "up %")
    click.echo(f"{'service':<{width}}" + "".join(f"{head:>10}" for head in heads))
    for name, figures in services.items():
        values = (
            figures["latency_ms"]["mean"], figures["latency_ms"]["p95"],
            100.0 * figures["utilization"], figures["throughput_rps"],
            figures["error_rate_percent"], figures["availability_percent"],
        )  # fmt: skip
        cells = ("–" if value is None else f"{value:.4g}" for value in values)
        click.echo(f"{name:<{width}}" + "".join(f"{cell:>10}" for cell in cells))


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    raise SystemExit(2)
