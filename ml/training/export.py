"""From XGBoost to ONNX, with a parity check that blocks what it cannot reproduce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxmltools
import onnxruntime
import xgboost
from numpy.typing import NDArray
from onnxmltools.convert.common.data_types import FloatTensorType

MAX_DIFFERENCE = 1e-6
OPSET = 15
ALLOWED = frozenset(
    {
        "objective", "num_class", "max_depth", "eta", "subsample", "colsample_bytree",
        "min_child_weight", "lambda", "gamma", "max_delta_step", "tree_method", "max_bin",
        "nthread", "seed", "eval_metric", "base_score",
    }
)  # fmt: skip
"""Options that convert faithfully; others, such as parallel trees, go wrong without an error."""


class ExportError(RuntimeError):
    """A model that ONNX would not reproduce."""


def check_options(options: dict[str, Any]) -> None:
    """Check that a model trained with these options can be exported.

    Raises
    ------
    ExportError
        If it cannot.
    """
    unknown = sorted(set(options) - ALLOWED)
    if unknown:
        raise ExportError(f"options that ONNX may not reproduce: {', '.join(unknown)}")
    if options.get("objective") not in ("binary:logistic", "multi:softprob"):
        raise ExportError(f"an objective that ONNX may not reproduce: {options.get('objective')}")


def document_of(booster: xgboost.Booster) -> dict[str, Any]:
    """Give a booster as XGBoost writes it in JSON."""
    document: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return document


def booster_of(document: dict[str, Any]) -> xgboost.Booster:
    """Make a booster of what XGBoost would have written of it."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(document).encode()))
    return booster


def _base(learner: dict[str, Any]) -> list[float]:
    """Give what the sum over the trees begins with: log-odds of two classes, or one per class."""
    stated = learner["learner_model_param"]
    base = [float(score) for score in str(stated["base_score"]).strip("[]").split(",")]
    return base if int(stated["num_class"]) > 1 else [float(np.log(base[0] / (1.0 - base[0])))]


def without_base(booster: xgboost.Booster) -> xgboost.Booster:
    """Put the base score of a booster into its first trees: the same probabilities.

    XGBoost begins its sum with it and ONNX Runtime ends with it, so in single precision they
    differed by up to 2e-6 of a probability over some hundred trees; now both add the same numbers
    in the same order.
    """
    document = document_of(booster)
    learner = document["learner"]
    stated = learner["learner_model_param"]
    classes = max(int(stated["num_class"]), 1)
    logits = _base(learner)
    model = learner["gradient_booster"]["model"]
    for tree, kind in zip(model["trees"][:classes], model["tree_info"], strict=False):
        added = logits[kind % len(logits)]
        tree["split_conditions"] = [
            value + added if left < 0 else value
            for value, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
        ]
    neutral = ",".join(["0E0"] * classes) if classes > 1 else "5E-1"
    stated["base_score"] = f"[{neutral}]"
    return booster_of(document)


def of_log_odds(booster: xgboost.Booster) -> xgboost.Booster:
    """Let a booster of two classes answer with the log-odds of the second.

    ONNX Runtime takes a third less time for them than for the probabilities of both: each leaf has
    one value then, which is stored in it.
    """
    document = document_of(booster)
    learner = document["learner"]
    (base,) = _base(learner)
    learner["learner_model_param"]["base_score"] = f"[{base:.9g}]"
    learner["objective"] = {"name": "reg:squarederror", "reg_loss_param": {}}
    return booster_of(document)


def export(
    booster: xgboost.Booster,
    names: tuple[str, ...],
    rows: NDArray[np.float32],
    path: Path,
) -> float:
    """Write a booster as ONNX, unless it answers differently there.

    One of two classes becomes a model that answers with the log-odds of the second, (N, 1); one of
    more becomes a classifier.

    Parameters
    ----------
    booster
        Booster, already sliced to its best iteration.
    names
        Names of the features, kept in the metadata.
    rows
        (N, F) rows to compare on; copies with random missing values are compared as well.

    Returns
    -------
    The largest difference of a probability.

    Raises
    ------
    ExportError
        If a probability differs by more than 1e-6.
    """
    booster.feature_names = None
    two_classes = booster.inplace_predict(rows[:1]).ndim == 1
    model = onnxmltools.convert_xgboost(
        of_log_odds(booster) if two_classes else booster,
        initial_types=[("features", FloatTensorType([None, len(names)]))],
        target_opset=OPSET,
        name=path.stem,  # the default is a random one
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = "features", ",".join(names)
    content = model.SerializeToString()

    rng = np.random.default_rng(0)
    holes = np.where(rng.random(rows.shape) < 0.1, np.float32(np.nan), rows)
    compared = np.concatenate([rows, holes]).astype(np.float32)
    expected = booster.inplace_predict(compared)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (got,) = session.run([session.get_outputs()[-1].name], {"features": compared})
    answer = 1.0 / (1.0 + np.exp(-got[:, 0].astype(np.float64))) if two_classes else got
    difference = float(np.abs(answer - expected).max())
    if not difference <= MAX_DIFFERENCE:
        raise ExportError(f"{path.name}: ONNX differs from XGBoost by up to {difference:.1e}")
    onnx.checker.check_model(model)
    path.write_bytes(content)
    return difference


def trees(booster: xgboost.Booster) -> dict[str, Any]:
    """Give the trees of a booster as plain lists, for `ml.serving.explanation`; ONNX has no covers.

    `limit` is the split of an inner node and the value of a leaf, whose `left` is -1.
    """
    learner = document_of(booster)["learner"]
    (base,) = _base(learner)
    return {
        "base": base,
        "trees": [
            {
                "left": tree["left_children"],
                "right": tree["right_children"],
                "feature": tree["split_indices"],
                "limit": tree["split_conditions"],
                "missing_left": tree["default_left"],
                "cover": tree["sum_hessian"],
            }
            for tree in learner["gradient_booster"]["model"]["trees"]
        ],
    }
