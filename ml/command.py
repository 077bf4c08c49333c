"""The command line of the predictor: `python -m ml`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from ml.serving.artefact import SHIPPED, ArtefactError, read_manifest


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train, evaluate and explain the incident predictor."""


@main.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=SHIPPED,
    help="Directory to write the model to; default: replace the shipped one.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Seed of the training; the same seed gives the same model.",
)
@click.option("--topologies", type=click.IntRange(min=4), help="Number of systems to learn from.")
@click.option("--episodes", type=click.IntRange(min=1), help="Simulated runs per system.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Number of processes; default: one per core."
)
@click.option(
    "--dask",
    "scheduler",
    metavar="ADDRESS",
    help="Simulate and train on the Dask cluster with this scheduler, such as tcp://host:8786.",
)
@click.option(
    "--quick", is_flag=True, help="Train a small model within minutes, to try things out."
)
def train(
    output: Path,
    seed: int,
    topologies: int | None,
    episodes: int | None,
    workers: int | None,
    scheduler: str | None,
    quick: bool,
) -> None:
    """Train a model on simulated runs of many systems, and export it as ONNX."""
    try:
        from ml.training import train as training
        from ml.training.fitting import TooFewIncidentsError
    except ImportError as error:
        _fail(f"training needs the 'train' extra: pip install 'sre-edge[train]' ({error.name})")
    config = training.quick() if quick else training.Config()
    config = replace(config, seed=seed)
    config = replace(config, topologies=topologies) if topologies else config
    config = replace(config, episodes=episodes) if episodes else config
    try:
        output.mkdir(parents=True, exist_ok=True)  # before half an hour of work
    except OSError as error:
        _fail(f"--output {output}: {error.strerror}")
    try:
        metrics = training.train(config, output, _compute(scheduler, workers))
    except TooFewIncidentsError as error:
        _fail(str(error))
    _show(metrics)
    click.echo(f"model {read_manifest(output).version} in {output}")


@main.command()
@click.option(
    "--topology",
    "topologies",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Topology file; repeatable. Default: random systems that no model has seen.",
)
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of a recording, instead of --topology; repeatable.",
)
@click.option(
    "--scenarios",
    "scenario_files",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Scenario file; one for each --topology, in the same order.",
)
@click.option(
    "--systems",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="Number of random systems to evaluate on, without --topology.",
)
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Episodes per system, drawn from the default mix.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="Seed of the random systems and of the simulation.",
)
@click.option(
    "--model",
    type=click.Path(file_okay=False, path_type=Path),
    default=SHIPPED,
    help="Model directory; default: the shipped one.",
)
@click.option(
    "--oracle/--no-oracle",
    default=True,
    show_default=True,
    help="Also evaluate the oracle, the practical upper bound; takes minutes per system. Not on "
    "recordings, whose future cannot be simulated.",
)
@click.option(
    "--plots",
    "plot_directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write plots to this directory.",
)
@click.option(
    "--json",
    "json_out",
    type=click.File("w"),
    help="Write the report to this file; - is standard output.",
)
def evaluate(
    topologies: tuple[str, ...],
    recordings: tuple[Path, ...],
    scenario_files: tuple[str, ...],
    systems: int,
    episodes: int,
    seed: int,
    model: Path,
    oracle: bool,
    plot_directory: Path | None,
    json_out: IO[str] | None,
) -> None:
    """Evaluate a model against simple baselines, by the definitions of docs/evaluation.md."""
    try:
        from ml import report
    except ImportError as error:
        _fail(f"evaluating needs the 'train' extra: pip install 'sre-edge[train]' ({error.name})")
    if scenario_files and len(scenario_files) != len(topologies):
        _fail("--scenarios: expected as many as --topology")
    if recordings and topologies:
        _fail("expected --recording or --topology, not both: their figures are not of one kind")
    try:
        if recordings:
            figures = report.report_recordings(
                recordings, seed, model, plot_directory=plot_directory
            )
        else:
            figures = report.report(
                topologies,
                scenario_files,
                systems,
                episodes,
                seed,
                model,
                with_oracle=oracle,
                plot_directory=plot_directory,
            )
    except (ValueError, ArtefactError) as error:
        _fail(str(error))
    if json_out:
        json.dump(figures, json_out, indent=2)
        json_out.write("\n")
    if json_out is None or json_out.name != "<stdout>":
        _show(figures)


@main.command()
def features() -> None:
    """Print the table of features as Markdown."""
    from ml.features.table import markdown

    click.echo(markdown(), nl=False)


def _compute(scheduler: str | None, workers: int | None) -> Any:
    from ml.training.compute import Cluster, Local

    if scheduler is None:
        return Local(workers)
    try:
        return Cluster(scheduler)
    except ImportError as error:
        _fail(f"--dask needs the 'dask' extra: pip install 'sre-edge[dask]' ({error.name})")
    except (OSError, ValueError) as error:
        _fail(f"--dask: expected a scheduler at {scheduler}: {error}")


def _show(figures: dict[str, Any]) -> None:
    columns = (
        "event_recall",
        "foreseeable_recall",
        "event_precision",
        "median_lead_s",
        "false_alarms_per_episode",
        "pr_auc",
    )
    heads = ("recall", "foreseen", "precision", "lead s", "false/ep", "PR-AUC")
    click.echo(f"{'':<22}" + "".join(f"{head:>10}" for head in heads))
    overall = figures["overall"]
    known = {"model": overall["model"], "oracle": overall["oracle"], **overall["baselines"]}
    for name, values in known.items():
        if values is None:
            continue
        cells = ("–" if values[key] is None else f"{values[key]:.3g}" for key in columns)
        click.echo(f"{name:<22}" + "".join(f"{cell:>10}" for cell in cells))


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(2)
