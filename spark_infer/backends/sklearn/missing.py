"""Which inputs of an estimator may be NaN or infinite: where its graph answers as it does.

Trees that skl2onnx makes send NaN to the right at each node, and those of scikit-learn to the side
that each node learned, so that a few rows do not tell whether both agree. Where NaN reaches such
trees, and they send it to the left anywhere, they therefore take none; all else is tried on rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.ensemble import has_other_trees
from spark_infer.backends.sklearn.original import (
    TOLERANCE,
    SklearnModel,
    SklearnOriginal,
    differences,
    graph_answers,
)
from spark_infer.backends.sklearn.parts import parts_of
from spark_infer.bundle import Signature

_SEED = 20_180_808
_NUM_ROWS = 64
_SCALES = (1.0, 10.0, 1000.0)
_MISSING = 0.5


def takes_nan(
    model: SklearnModel,
    signature: Signature,
    names: Sequence[str],
    sample: Mapping[str, Array] | None,
) -> dict[str, bool]:
    """Return for each input of numbers whether NaN in it has the estimator's own answer.

    Args:
        model: The estimator and its graph.
        signature: What both take.
        names: The inputs of numbers.
        sample: Rows of the user, as tensors.
    """
    rows = _usual(model, signature, sample)
    found = {
        name: all(
            _agree(model, signature, _with(rows, {name: columns}))
            for columns in _places(rows[name])
        )
        for name in names
    }
    taken = [name for name in names if found[name]]
    random = np.random.default_rng(_SEED)
    together = [
        {name: np.ones(rows[name].shape, np.bool_) for name in taken},
        {name: random.random(rows[name].shape) < _MISSING for name in taken},
    ]
    if taken and not all(_agree(model, signature, _with(rows, masks)) for masks in together):
        return dict.fromkeys(names, False)
    return found


def takes_infinity(
    model: SklearnModel,
    signature: Signature,
    names: Sequence[str],
    sample: Mapping[str, Array] | None,
) -> set[str]:
    """Return the inputs of numbers in which an infinity has the estimator's own answer.

    Args:
        model: The estimator and its graph.
        signature: What both take.
        names: The inputs of numbers.
        sample: Rows of the user, as tensors.
    """
    rows = _usual(model, signature, sample)
    return {
        name
        for name in names
        if all(
            _agree(model, signature, _with(rows, {name: columns}, value))
            for columns in (*_places(rows[name]), np.ones(rows[name].shape, np.bool_))
            for value in (np.inf, -np.inf)
        )
    }


def _usual(
    model: SklearnModel, signature: Signature, sample: Mapping[str, Array] | None
) -> dict[str, Array]:
    """Return rows without NaN to which estimator and graph answer alike."""
    random = np.random.default_rng(_SEED)
    found = {}
    for item in signature.inputs:
        shape = (_NUM_ROWS, len(item.column_names))
        if item.vocabulary is not None:
            made = random.integers(0, len(item.vocabulary), shape).astype(item.dtype)
        else:
            scales = np.resize(_SCALES, (_NUM_ROWS, 1))
            made = (random.standard_normal(shape) * scales).astype(item.dtype)
        made[0] = 0
        own = [] if sample is None else [sample[item.tensor_name].reshape(-1, shape[1])]
        found[item.tensor_name] = np.concatenate([made, *own])
    finite = [np.isfinite(rows).all(axis=1) for rows in found.values() if rows.dtype.kind == "f"]
    kept = np.flatnonzero(np.logical_and.reduce(finite))[: 2 * _NUM_ROWS]
    found = {name: rows[kept] for name, rows in found.items()}
    try:
        agree = _alike(model, signature, found)
    except Exception:  # an estimator may raise anything, as for a negative number
        agree = np.arange(len(kept)) == 0
    return {name: rows[agree] for name, rows in found.items()}


def _places(rows: Array) -> Iterator[Array]:
    """Yield which numbers are to be NaN: those of one column after the other."""
    for place in range(rows.shape[1]):
        mask = np.zeros(rows.shape, np.bool_)
        mask[:, place] = True
        yield mask


def _with(
    rows: Mapping[str, Array], masks: Mapping[str, Array], value: float = np.nan
) -> dict[str, Array]:
    return {
        name: np.where(masks[name], np.array(value, array.dtype), array) if name in masks else array
        for name, array in rows.items()
    }


def _agree(model: SklearnModel, signature: Signature, rows: Mapping[str, Array]) -> bool:
    """Return whether estimator and graph answer alike to rows with NaN or infinities."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = SklearnOriginal(model, signature).given(rows)
            if has_other_trees(model.graph.graph.model) and _turns_left(model.estimator, given):
                return False
        return bool(_alike(model, signature, rows).all())
    except Exception:  # an estimator may raise anything, and that it does is the answer
        return False


def _alike(model: SklearnModel, signature: Signature, rows: Mapping[str, Array]) -> Array:
    """Return for each row whether estimator and graph answer alike."""
    own = SklearnOriginal(model, signature).run(rows)
    pairs = zip(own, graph_answers(model, signature, rows), signature.outputs, strict=True)
    found: Array = np.logical_and.reduce([differences(*pair) <= TOLERANCE for pair in pairs])
    return found


def _turns_left(estimator: Any, given: Any) -> bool:
    """Return whether NaN reaches a tree that sends it to the left anywhere."""
    if isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            given = estimator[:-1].transform(given)
        return _has_nan(given) and _turns_left(estimator.steps[-1][1], given)
    trees = [part.tree_ for part in parts_of(estimator) if hasattr(part, "tree_")]
    return any(tree.missing_go_to_left.any() for tree in trees)


def _has_nan(given: Any) -> bool:
    values = given.data if hasattr(given, "tocsr") else np.asarray(given)
    return values.dtype.kind == "O" or bool(np.isnan(values).any())
