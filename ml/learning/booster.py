"""The trees of a model directory as an XGBoost booster, to continue training from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from ml.features import LEARNED
from ml.serving.artefact import TREES, read_manifest
from ml.training.export import booster_of, document_of

_ROOT = 2**31 - 1
"""Parent of a root, as XGBoost writes it."""


class ContinueError(ValueError):
    """A model that training cannot continue from."""


def booster(directory: Path) -> xgboost.Booster:
    """Rebuild the booster of a model.

    Raises
    ------
    ArtefactError
        If the directory holds no model, or a damaged one.
    ContinueError
        If the model takes other features than this version learns from.
    """
    if read_manifest(directory).features != LEARNED:
        raise ContinueError(
            "the live model takes other features than this version learns from, so training "
            "cannot continue from it; train one from scratch: python -m ml train"
        )
    stored = json.loads((directory / TREES).read_text(encoding="utf-8"))
    document = _template()
    learner = document["learner"]
    score = 1.0 / (1.0 + np.exp(-float(stored["base"])))
    learner["learner_model_param"]["base_score"] = f"[{score:.9g}]"
    model = learner["gradient_booster"]["model"]
    model["trees"] = [_tree(i, tree) for i, tree in enumerate(stored["trees"])]
    model["tree_info"] = [0] * len(model["trees"])
    model["iteration_indptr"] = list(range(len(model["trees"]) + 1))
    model["gbtree_model_param"]["num_trees"] = str(len(model["trees"]))
    return booster_of(document)


def _template() -> dict[str, Any]:
    """Let XGBoost write a model of the right shape itself: the format is its own."""
    rows = np.zeros((2, len(LEARNED)), dtype=np.float32)
    options = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1}
    made = xgboost.train(options, xgboost.DMatrix(rows, np.array([0.0, 1.0])), 1)
    return document_of(made)


def _tree(number: int, tree: dict[str, list[Any]]) -> dict[str, Any]:
    nodes = len(tree["left"])
    parents = [_ROOT] * nodes
    for node, (left, right) in enumerate(zip(tree["left"], tree["right"], strict=True)):
        if left >= 0:
            parents[left] = parents[right] = node
    inner = [left >= 0 for left in tree["left"]]
    values = [0.0 if is_inner else v for v, is_inner in zip(tree["limit"], inner, strict=True)]
    return {
        "id": number,
        "left_children": tree["left"],
        "right_children": tree["right"],
        "parents": parents,
        "split_indices": tree["feature"],
        "split_conditions": tree["limit"],
        "split_type": [0] * nodes,
        "default_left": tree["missing_left"],
        "sum_hessian": tree["cover"],
        "loss_changes": [0.0] * nodes,
        "base_weights": values,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(len(LEARNED)),
            "num_nodes": str(nodes),
            "size_leaf_vector": "1",
        },
    }
