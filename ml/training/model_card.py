"""The model card: what a model is, how good it is, and what it must not be used for."""

from __future__ import annotations

from typing import Any

from ml.serving.artefact import Manifest

_COLUMNS = (
    ("event_recall", "recall"),
    ("foreseeable_recall", "of foreseeable"),
    ("event_precision", "precision"),
    ("median_lead_s", "median lead, s"),
    ("false_alarms_per_episode", "false alarms per episode"),
    ("recall_at_0.5", "recall at 0.5 false alarms per episode"),
    ("pr_auc", "PR-AUC"),
    ("brier_skill", "Brier skill"),
    ("ece", "ECE"),
)


def model_card(manifest: Manifest, config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Write the card of a model as Markdown."""
    overall = metrics["overall"]
    scores = {"**this model**": overall["model"], **overall["baselines"]}
    strongest = list(metrics["importance"].items())[:10]
    lines = [
        f"# Incident predictor {manifest.version}",
        "",
        "## What it does",
        "For each service of a system it predicts the probability that an incident begins within "
        f"the next {manifest.horizon_s:g} s, and the most likely type of that incident. XGBoost "
        "trained it; ONNX Runtime evaluates it.",
        "",
        "## What it learned from",
        f"{config['topologies']} systems, four of them the shipped ones and the others random, "
        f"with {config['episodes']} simulated episodes each: {metrics['learned_rows']:,} rows of "
        f"{len(manifest.features)} features (`docs/features.md`) with seed {config['seed']}. "
        "All of them were simulated: check its predictions on a real system before relying on it.",
        "",
        "## How good it is",
        f"Measured on {config['test_topologies']} other random systems and {metrics['episodes']} "
        "episodes that it never saw, by the definitions of `docs/evaluation.md`. All incidents "
        "count, including those that a sudden fault causes at once, which cannot be foreseen; "
        "thresholds were chosen on validation systems only.",
        "",
        "| | " + " | ".join(title for _, title in _COLUMNS) + " |",
        "| --- |" + " ---: |" * len(_COLUMNS),
        *(
            f"| {name} | " + " | ".join(_cell(values[key]) for key, _ in _COLUMNS) + " |"
            for name, values in scores.items()
        ),
        "",
        "Only the model's score is a probability; the last two columns mean little for the "
        f"others. Accuracy of the most likely type: {_cell(metrics['incident_type']['accuracy'])}.",
        "",
        "The cause of an incident is the fault without which, with the same random numbers, it "
        "would not have begun; the incident is foreseeable if its cause had acted for at least "
        "10 s.",
        "",
        "| cause | incidents | recall | foreseeable | recall | lead, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {kind} | {of['incidents']} | {_cell(of['event_recall'])} "
            f"| {of['foreseeable_incidents']} | {_cell(of['foreseeable_recall'])} "
            f"| {_cell(of['median_lead_s'])} |"
            for kind, of in metrics["by_fault"].items()
        ),
        "",
        "## What it goes by",
        "Share of the gain: "
        + ", ".join(f"`{name}` {share:.0%}" for name, share in strongest)
        + ".",
        "",
        "## Limits",
        "It knows nothing of deployments, certificates, or anything else that does not show in its "
        "features. A fault that breaches at once cannot be foreseen. It needs a minute of frames "
        "before its first prediction, and some minutes to learn what is normal.",
        "",
    ]
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
