"""Ensembles of trees as attributes of ONNX's operators for them, version 3, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper

from spark_infer.backends.backend import Array


@dataclass(frozen=True)
class Tree:
    """One tree.

    Attributes:
        left: Child of each node for numbers up to its threshold; negative for a leaf.
        right: The child for others; negative for a leaf.
        feature: Which column each node looks at.
        threshold: What it compares it with.
        nan_left: Whether NaN goes to the left.
        values: What each node adds to each target, (nodes, targets).
    """

    left: Array
    right: Array
    feature: Array
    threshold: Array
    nan_left: Array
    values: Array


def ensemble(trees: Sequence[Tree], what: str) -> dict[str, Any]:
    """Return trees as attributes of ``TreeEnsembleClassifier`` or ``TreeEnsembleRegressor``.

    Args:
        trees: The trees.
        what: What they add to: ``class`` or ``target``.
    """
    sizes = [len(tree.left) for tree in trees]
    numbers = np.repeat(np.arange(len(trees)), sizes)
    places = np.concatenate([np.arange(size) for size in sizes])
    left, right, feature, threshold, nan_left, values = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("left", "right", "feature", "threshold", "nan_left", "values")
    )
    is_leaf = left < 0
    targets = values.shape[1]
    leaves = np.flatnonzero(is_leaf)
    return {
        "nodes_treeids": numbers.tolist(),
        "nodes_nodeids": places.tolist(),
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_featureids": np.where(is_leaf, 0, feature).tolist(),
        "nodes_truenodeids": np.where(is_leaf, 0, left).tolist(),
        "nodes_falsenodeids": np.where(is_leaf, 0, right).tolist(),
        "nodes_missing_value_tracks_true": np.where(is_leaf, 0, nan_left).tolist(),
        "nodes_values_as_tensor": _tensor(np.where(is_leaf, 0, threshold)),
        f"{what}_ids": np.tile(np.arange(targets), len(leaves)).tolist(),
        f"{what}_treeids": np.repeat(numbers[leaves], targets).tolist(),
        f"{what}_nodeids": np.repeat(places[leaves], targets).tolist(),
        f"{what}_weights_as_tensor": _tensor(values[leaves].ravel()),
        "post_transform": "NONE",
    }


def has_other_trees(model: ModelProto) -> bool:
    """Return whether a graph has trees with splits in float32, which something else has made."""
    return any(
        attribute.name == "nodes_values"
        for node in model.graph.node
        for attribute in node.attribute
    )


def _tensor(values: Array) -> Any:
    return numpy_helper.from_array(values.astype(np.float64), "values")
