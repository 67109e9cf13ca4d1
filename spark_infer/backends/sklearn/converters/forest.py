"""Trees, and forests of them, whose votes are counted in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.ensemble import Tree, ensemble
from spark_infer.backends.sklearn.converters.nodes import DOUBLE, FLOAT, Nodes


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Convert a tree or a forest that tells a class.

    Raises:
        NotImplementedError: It tells several at once.
    """
    forest, nodes = operator.raw_operator, Nodes(scope, operator, container)
    if forest.n_outputs_ != 1:
        raise NotImplementedError("an estimator that predicts several classes at once")
    trees = [tree_of(part, part.tree_.value[:, 0, :]) for part in _members(forest)]
    number = len(forest.classes_)
    votes = nodes.add_trees(
        "TreeEnsembleClassifier",
        as_float32(nodes),
        classlabels_int64s=list(range(number)),
        **ensemble(trees, "class"),
    )
    shares = nodes.add("Div", votes, nodes.constant(np.array(len(trees), np.float64)))
    nodes.answer(1, shares)
    nodes.answer_class(forest.classes_, nodes.add("ArgMax", shares, axis=1, keepdims=0))


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Convert a tree or a forest that tells numbers."""
    forest, nodes = operator.raw_operator, Nodes(scope, operator, container)
    trees = [tree_of(part, part.tree_.value[:, :, 0]) for part in _members(forest)]
    total = nodes.add_trees(
        "TreeEnsembleRegressor",
        as_float32(nodes),
        n_targets=trees[0].values.shape[1],
        **ensemble(trees, "target"),
    )
    nodes.answer(0, nodes.add("Div", total, nodes.constant(np.array(len(trees), np.float64))))


def as_float32(nodes: Nodes) -> str:
    """Return rows as these trees see them: cut to float32, and compared in float64."""
    return nodes.cast(nodes.cast(nodes.given[0], FLOAT), DOUBLE)


def tree_of(estimator: Any, values: Array) -> Tree:
    """Return the tree of an estimator of one.

    Args:
        estimator: The estimator.
        values: What each node of it gives, (nodes, targets).
    """
    tree = estimator.tree_
    return Tree(
        tree.children_left,
        tree.children_right,
        tree.feature,
        tree.threshold,
        tree.missing_go_to_left,
        values,
    )


def _members(forest: Any) -> list[Any]:
    return list(getattr(forest, "estimators_", [forest]))
