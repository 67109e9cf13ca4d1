"""Boosted trees, whose steps are added in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.ensemble import Tree, ensemble
from spark_infer.backends.sklearn.converters.forest import as_float32, tree_of
from spark_infer.backends.sklearn.converters.nodes import DOUBLE, Nodes


def convert_gradient(scope: Any, operator: Any, container: Any) -> None:
    """Convert a GradientBoostingClassifier or GradientBoostingRegressor.

    Raises:
        NotImplementedError: It begins with an estimator of its user's.
    """
    model, nodes = operator.raw_operator, Nodes(scope, operator, container)
    if not (model.init_ == "zero" or isinstance(model.init_, (DummyClassifier, DummyRegressor))):
        raise NotImplementedError(f"a {type(model).__name__} with init={model.init_!r}")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))
    trees = [
        tree_of(part, _column(model.learning_rate * part.tree_.value[:, 0, 0], place, start.size))
        for parts in model.estimators_
        for place, part in enumerate(parts)
    ]
    raw = _total(nodes, as_float32(nodes), trees, start)
    if not hasattr(model, "classes_"):
        nodes.answer(0, raw)
    elif start.size > 1:
        _answer_many(nodes, raw, model.classes_)
    else:
        is_exponential = type(model._loss).__name__ == "ExponentialLoss"
        _answer_two(nodes, raw, model.classes_, zero_is=1, is_exponential=is_exponential)


def convert_histogram(scope: Any, operator: Any, container: Any) -> None:
    """Convert a HistGradientBoostingClassifier or HistGradientBoostingRegressor.

    Raises:
        NotImplementedError: It splits by categories.
    """
    model, nodes = operator.raw_operator, Nodes(scope, operator, container)
    if getattr(model, "is_categorical_", None) is not None:
        raise NotImplementedError(f"categorical_features of a {type(model).__name__}")
    start = model._baseline_prediction
    trees = [
        _tree_of(part.nodes, place, start.size)
        for parts in model._predictors
        for place, part in enumerate(parts)
    ]
    raw = _total(nodes, nodes.cast(nodes.given[0], DOUBLE), trees, start)
    if hasattr(model, "classes_"):
        answer = _answer_many if start.size > 1 else _answer_two
        answer(nodes, raw, model.classes_)
    else:
        link = type(model._loss.link).__name__
        nodes.answer(0, nodes.add("Exp", raw) if link == "LogLink" else raw)


def _total(nodes: Nodes, rows: str, trees: list[Tree], start: Array) -> str:
    """Return what trees add to the start, (rows, targets)."""
    added = nodes.add_trees(
        "TreeEnsembleRegressor", rows, n_targets=start.size, **ensemble(trees, "target")
    )
    return nodes.add("Add", added, nodes.constant(start.reshape(1, -1).astype(np.float64)))


def _answer_two(
    nodes: Nodes, raw: str, classes: Array, *, zero_is: int = 0, is_exponential: bool = False
) -> None:
    """Give one of two classes and their probabilities.

    Args:
        nodes: The graph.
        raw: What the trees add up, (rows, 1).
        classes: Both.
        zero_is: The number of the class at 0.
        is_exponential: Whether they were trained with the exponential loss.
    """
    if nodes.gives_raw:
        first, second = nodes.add("Neg", raw), raw
    else:
        second = nodes.add("Sigmoid", nodes.add("Add", raw, raw) if is_exponential else raw)
        first = nodes.add("Sub", nodes.constant(np.ones((), np.float64)), second)
    nodes.answer(1, nodes.add("Concat", first, second, axis=1))
    zero = nodes.add("Sub", raw, raw)
    pair = (zero, raw) if zero_is == 0 else (raw, zero)
    # The place of the larger one, and of the first where both are.
    place = nodes.add("ArgMax", nodes.add("Concat", *pair, axis=1), axis=1, keepdims=0)
    nodes.answer_class(classes if zero_is == 0 else classes[::-1], place)


def _answer_many(nodes: Nodes, raw: str, classes: Array) -> None:
    """Give one of several classes and their probabilities."""
    nodes.answer(1, raw if nodes.gives_raw else nodes.add("Softmax", raw, axis=1))
    nodes.answer_class(classes, nodes.add("ArgMax", raw, axis=1, keepdims=0))


def _column(values: Array, place: int, count: int) -> Array:
    """Return (nodes, targets): the values for one of the targets, and nothing for the others."""
    found = np.zeros((len(values), count))
    found[:, place] = values
    return found


def _tree_of(nodes: Array, place: int, count: int) -> Tree:
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    return Tree(
        np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"],
        nodes["missing_go_to_left"],
        _column(nodes["value"], place, count),
    )
