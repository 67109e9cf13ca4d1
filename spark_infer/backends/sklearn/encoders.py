"""Encoders of categories: graph and estimator are tried at their categories, and beside."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.sklearn.original import (
    TOLERANCE,
    SklearnModel,
    SklearnOriginal,
    differences,
    graph_answers,
)
from spark_infer.backends.sklearn.parts import parts_of
from spark_infer.bundle import Signature
from spark_infer.errors import BundleError

_MAX_NUMBERS = 32
"""Most categories of numbers around which others are tried."""


def check_unknown(estimator: Any) -> None:
    """Refuse encoders that raise on what they do not know: a graph answers, or fails as a whole.

    Raises:
        BundleError: One does.
    """
    for part in encoders_in(estimator):
        if getattr(part, "handle_unknown", None) == "error":
            other = (
                "handle_unknown='use_encoded_value', unknown_value=-1"
                if type(part).__name__ == "OrdinalEncoder"
                else "handle_unknown='ignore'"
            )
            raise BundleError(
                f"the {type(part).__name__} in the {type(estimator).__name__} raises for "
                "categories that it does not know (handle_unknown='error'), and a graph would "
                f"answer something; say what they are: encoder.set_params({other}), fitted or not"
            )


def difference(
    model: SklearnModel, signature: Signature, sample: Mapping[str, Array] | None
) -> str | None:
    """Return a value that graph and estimator take otherwise, of those at and beside categories.

    Args:
        model: The estimator and its graph.
        signature: What both take.
        sample: Rows of the user, as tensors.
    """
    known = [
        np.asarray(values) for part in encoders_in(model.estimator) for values in part.categories_
    ]
    if not known:
        return None
    numbers = _beside([values for values in known if values.dtype.kind in "iuf"])
    base = _base(model, signature, sample)
    for item in signature.inputs:
        words = item.vocabulary
        values = numbers if words is None else np.arange(len(words) + 1)
        if words is None and item.dtype == "int64":
            values = np.unique(np.round(numbers)).astype(np.int64)
        for place, column in enumerate(item.column_names):
            rows = {name: np.repeat(row, len(values), axis=0) for name, row in base.items()}
            rows[item.tensor_name].reshape(len(values), -1)[:, place] = values
            if len(wrong := _apart(model, signature, rows)):
                value = values[wrong[0]]
                if words is None:
                    return f"{float(value)!r} in {column!r}"
                known_word = repr(words[value]) if value < len(words) else "an unknown word"
                return f"{known_word} in {column!r}"
    return None


def _beside(known: Sequence[Array]) -> Array:
    """Return numbers that are categories, and some beside, between and far from them."""
    numbers = np.unique(np.concatenate([np.zeros(1), *known]).astype(np.float64))
    numbers = numbers[np.isfinite(numbers)]
    few = numbers[np.unique(np.linspace(0, len(numbers) - 1, _MAX_NUMBERS).astype(int))]
    between = (few[1:] + few[:-1]) / 2
    shifted = [few + step for step in (-1, -0.5, -0.3, 0.3, 0.5, 0.7, 1)]
    near = [np.nextafter(few, -np.inf), np.nextafter(few, np.inf)]
    far = [numbers[-1] + 1e6, numbers[0] - 1e6]
    return np.unique(np.concatenate([few, between, *shifted, *near, far]))


def _base(
    model: SklearnModel, signature: Signature, sample: Mapping[str, Array] | None
) -> dict[str, Array]:
    """Return one row that the estimator takes, with numbers as float64."""
    first = _first_categories(model.estimator, model.columns.names)
    found = {}
    for item in signature.inputs:
        if sample is not None and len(sample[item.tensor_name]):
            row = np.nan_to_num(sample[item.tensor_name][:1])
        else:
            shape = (1, len(item.column_names))
            row = np.zeros(shape)
            if item.vocabulary is None:
                row[0] = [first.get(name, 0.0) for name in item.column_names]
            else:
                word = first.get(item.column_names[0])
                row[:] = item.vocabulary.index(word) if word in item.vocabulary else 0
        found[item.tensor_name] = row.astype(
            np.float64 if item.dtype.startswith("float") else item.dtype
        )
    return found


def _first_categories(part: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the first category of each column that an encoder takes as it comes."""
    if hasattr(part, "steps"):
        found: dict[str, Any] = {}
        for _, step in part.steps:
            found |= {k: v for k, v in _first_categories(step, names).items() if k not in found}
        return found
    if hasattr(part, "transformers_"):
        found = {}
        for _, step, columns in part.transformers_:
            if isinstance(columns, (list, tuple, np.ndarray)):
                inner = [
                    names[int(c)] if isinstance(c, (int, np.integer)) else str(c) for c in columns
                ]
                found |= _first_categories(step, inner)
        return found
    known = getattr(part, "categories_", ())
    if len(known) != len(names):
        return {}
    return {name: values[0] for name, values in zip(names, known, strict=True) if len(values)}


def _apart(model: SklearnModel, signature: Signature, rows: Mapping[str, Array]) -> Array:
    """Return which rows have another answer of the graph than of the estimator."""
    try:
        return np.flatnonzero(_wrong(model, signature, rows))
    except Exception:  # either may raise anything, as for a word that it does not know
        number = len(next(iter(rows.values())))
        each = ({name: array[[place]] for name, array in rows.items()} for place in range(number))
        return np.flatnonzero([_is_wrong(model, signature, row) for row in each])


def _is_wrong(model: SklearnModel, signature: Signature, row: Mapping[str, Array]) -> bool:
    """Return whether the graph answers to one row otherwise; to raise is an answer."""
    own = graph = None
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        own = SklearnOriginal(model, signature).run(row)
    with suppress(Exception):
        graph = graph_answers(model, signature, _narrow(signature, row))
    if own is None or graph is None:
        # A row that is only rejected is no wrong answer.
        return own is None and graph is not None
    return bool(_wrong_of(own, graph, signature)[0])


def _wrong(model: SklearnModel, signature: Signature, rows: Mapping[str, Array]) -> Array:
    own = SklearnOriginal(model, signature).run(rows)
    return _wrong_of(own, graph_answers(model, signature, _narrow(signature, rows)), signature)


def _wrong_of(own: Sequence[Array], graph: Sequence[Array], signature: Signature) -> Array:
    pairs = zip(own, graph, signature.outputs, strict=True)
    found: Array = np.logical_or.reduce([differences(*pair) > TOLERANCE for pair in pairs])
    return found


def _narrow(signature: Signature, rows: Mapping[str, Array]) -> dict[str, Array]:
    return {i.tensor_name: rows[i.tensor_name].astype(i.dtype) for i in signature.inputs}


def encoders_in(estimator: Any) -> Iterator[Any]:
    """Yield the encoders within an estimator, at any depth."""
    parts = list(parts_of(estimator))
    # What numbers bins gets no others.
    inner = {id(getattr(part, "_encoder", None)) for part in parts if hasattr(part, "bin_edges_")}
    for part in parts:
        if id(part) not in inner and isinstance(getattr(part, "categories_", None), (list, tuple)):
            yield part
