"""An estimator of scikit-learn as a graph of ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
import skl2onnx
from skl2onnx.common import data_types
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from spark_infer.backends.onnx.model.wide import widen
from spark_infer.backends.sklearn.converters import CONVERTERS, SHAPES
from spark_infer.backends.sklearn.parts import parts_of
from spark_infer.errors import BundleError, SignatureError, nearest, some

_EXACT = 2**53
"""From here on float64 has not every whole number."""
_NUMBERS = {"float32": data_types.FloatTensorType, "float64": data_types.DoubleTensorType}


@dataclass(frozen=True)
class Columns:
    """What an estimator was fitted with.

    Attributes:
        names: Its columns, in order.
        texts: Those of text.
        is_frame: Whether it was fitted with a frame, and wants one.
        apart: Whether each column is an input of its own.
        wholes: Those that only encoders of whole numbers take as they come.
        fractions: Those of them that may hold other numbers, which are no category then.
    """

    names: Sequence[str]
    texts: frozenset[str]
    is_frame: bool
    apart: bool
    wholes: frozenset[str] = frozenset()
    fractions: frozenset[str] = frozenset()


def columns_of(
    estimator: Any, columns: Sequence[str] | None, sample: pa.RecordBatch | pa.Table | None
) -> Columns:
    """Return what an estimator was fitted with.

    Raises:
        SignatureError: It was fitted with arrays and nobody named their columns, or other columns
            are named than it knows.
        BundleError: It was not fitted.
    """
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError) as error:
        raise BundleError(
            f"the {type(estimator).__name__} is not fitted ({str(error).splitlines()[0]}); fit it "
            "before it is saved"
        ) from None
    known = getattr(estimator, "feature_names_in_", None)
    if known is None:
        count = getattr(estimator, "n_features_in_", None)
        if count is None:
            raise BundleError(
                f"the {type(estimator).__name__} does not say of how many columns it is, as one "
                "that begins with 'passthrough'; leave that step out"
            )
        if columns is None:
            raise SignatureError(
                f"the {type(estimator).__name__} was fitted with an array of {count} columns that "
                f"have no names; pass columns=[...], {count} names in its order"
            )
        if len(columns) != count:
            raise SignatureError(
                f"the {type(estimator).__name__} was fitted with {count} columns, and "
                f"{len(columns)} are named"
            )
        wholes, fractions = _wholes_of(estimator, columns, sample)
        if wholes != set(columns):
            wholes = fractions = frozenset()
        return Columns(list(columns), frozenset(), False, False, wholes, fractions)
    names = [str(name) for name in known]
    for column in columns or ():
        if column not in names:
            raise SignatureError(
                f"the {type(estimator).__name__} was fitted without a column {column!r}, with "
                f"{some(names, 8)}{nearest(column, names)}"
            )
    if columns is not None and list(columns) != names:
        raise SignatureError(f"columns must be those it was fitted with, in order: {names}")
    texts = _texts_of(sample) if sample is not None else set(_texts_in(estimator))
    apart = bool(texts) or any(isinstance(part, ColumnTransformer) for part in _parts(estimator))
    wholes, fractions = _wholes_of(estimator, names, sample)
    return Columns(names, frozenset(texts & set(names)), True, apart, wholes - texts, fractions)


def convert(estimator: Any, columns: Columns, dtype: str) -> Any:
    """Return the graph of an estimator.

    Args:
        estimator: The estimator.
        columns: What it was fitted with.
        dtype: The type in which the graph takes numbers.

    Raises:
        BundleError: skl2onnx does not know it, or a part of it, or computes that otherwise.
    """
    if any(isinstance(part, IsotonicRegression) for part in parts_of(estimator)):
        raise BundleError(
            f"the {type(estimator).__name__} holds an IsotonicRegression, which interpolates, and "
            "skl2onnx takes the nearest point instead; calibrate with method='sigmoid'"
        )
    number = _NUMBERS[dtype]
    if columns.apart:
        kinds = dict.fromkeys(columns.names, number)
        kinds |= dict.fromkeys(columns.wholes, data_types.Int64TensorType)
        kinds |= dict.fromkeys(columns.texts, data_types.StringTensorType)
        types = [(name, kind([None, 1])) for name, kind in kinds.items()]
    else:
        kind = data_types.Int64TensorType if columns.wholes.issuperset(columns.names) else number
        types = [("X", kind([None, len(columns.names)]))]
    try:
        graph = _converted(estimator, types)
    except Exception as error:
        # It raises what it likes.
        raise BundleError(
            f"skl2onnx {skl2onnx.__version__} does not convert the {type(estimator).__name__} "
            f"({str(error).strip().splitlines()[0]}); do the step that it does not know in Spark "
            "SQL, or register a converter, convert it yourself and pass the ONNX model"
        ) from None
    widen(graph)
    return graph


def _converted(estimator: Any, types: Sequence[tuple[str, Any]]) -> Any:
    given: dict[str, Any] = {
        "initial_types": types,
        "custom_conversion_functions": CONVERTERS,
        "custom_shape_calculators": SHAPES,
    }
    if any(isinstance(part, IsolationForest) for part in parts_of(estimator)):
        # It takes the newest version of ONNX's operators for trees, which skl2onnx does not know.
        newest = skl2onnx.proto.get_latest_tested_opset_version()
        given["target_opset"] = {"": newest, "ai.onnx.ml": 3}
    if is_classifier(estimator):
        with suppress(NameError):  # there is no such option of those without probabilities
            return skl2onnx.convert_sklearn(
                estimator, options={id(estimator): {"zipmap": False}}, **given
            )
    return skl2onnx.convert_sklearn(estimator, **given)


def dtype_of(estimator: Any) -> str:
    """Return the type of the numbers that an estimator takes.

    Most take both; clusters are compared with rows of the type that they were fitted with only.
    """
    centers = [getattr(part, "cluster_centers_", None) for part in _parts(estimator)]
    found = [str(values.dtype) for values in centers if values is not None]
    return found[0] if found else "float64"


def _texts_of(sample: pa.RecordBatch | pa.Table) -> set[str]:
    def is_text(kind: pa.DataType) -> bool:
        value = kind.value_type if pat.is_dictionary(kind) else kind
        return bool(pat.is_string(value) or pat.is_large_string(value))

    return {field.name for field in sample.schema if is_text(field.type)}


def _parts(estimator: Any) -> Iterator[Any]:
    yield estimator
    for _, part in getattr(estimator, "steps", ()):
        yield from _parts(part)


def _texts_in(estimator: Any) -> Iterator[str]:
    """Yield the columns that go to encoders whose categories are words."""
    for part in _parts(estimator):
        for _, step, columns in getattr(part, "transformers_", ()):
            for inner in _parts(step):
                known = getattr(inner, "categories_", ())
                for name, words in zip(columns, known, strict=False):
                    if words.dtype.kind in "OUS":
                        yield str(name)


def _wholes_of(
    estimator: Any, names: Sequence[str], sample: pa.RecordBatch | pa.Table | None
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the columns of whole numbers, and those of them that may hold others."""
    found: dict[str, bool] = {}
    for name, is_whole, is_float in _encoded(estimator, names):
        if is_whole:
            found[name] = is_float or found.get(name, False)
    if sample is not None:
        found = {name: name in _floats_of(sample) for name in found}
    return frozenset(found), frozenset(name for name, is_float in found.items() if is_float)


def _encoded(part: Any, names: Sequence[str]) -> Iterator[tuple[str, bool, bool]]:
    """Yield the columns that come to encoders as they are; whether whole, and whether floats."""
    if hasattr(part, "steps"):
        yield from _encoded(part.steps[0][1], names)
    for _, step, columns in getattr(part, "transformers_", ()):
        if isinstance(columns, (list, tuple, np.ndarray)):
            inner = [names[int(c)] if isinstance(c, (int, np.integer)) else str(c) for c in columns]
            yield from _encoded(step, inner)
    known = getattr(part, "categories_", ())
    if len(known) == len(names):
        are_whole = all(map(_are_whole, known))
        for name, values in zip(names, known, strict=True):
            yield name, are_whole, values.dtype.kind == "f"


def _are_whole(values: Any) -> bool:
    if values.dtype.kind != "f":
        return values.dtype.kind in "iu"
    # Beyond, other whole numbers become these.
    return bool(np.all((values == np.round(values)) & (abs(values) < _EXACT)))


def _floats_of(sample: pa.RecordBatch | pa.Table) -> set[str]:
    return {field.name for field in sample.schema if not pat.is_integer(field.type)}
