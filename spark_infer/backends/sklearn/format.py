"""Estimators of scikit-learn: converted to ONNX, and compared with their own answers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from spark_infer.backends.backend import Array, Backend
from spark_infer.backends.formats import Format, Prepared, Said, Taken
from spark_infer.backends.host import HostBackend
from spark_infer.backends.onnx.format import FORMAT as ONNX
from spark_infer.backends.onnx.format import OnnxModel
from spark_infer.backends.onnx.guard import guarded, numbers_in
from spark_infer.backends.onnx.tensors import feeds_of, fetches_of
from spark_infer.backends.options import ModelOptions
from spark_infer.backends.original import Original, Stateless
from spark_infer.backends.sklearn.convert import Columns, columns_of, convert
from spark_infer.bundle import Bundle, Output, Signature
from spark_infer.errors import BundleError
from spark_infer.tensors.rows import Rows
from spark_infer.transforms import make_decoder

TOLERANCE = 1e-4
"""How far a score may be from scikit-learn's own, as a share of it and of 1."""

_MAX_ROWS = 1024
_DTYPES = ("float32", "float64")
_NAMES = {"variable": "prediction", "output_label": "label", "output_probability": "probabilities"}

_logger = logging.getLogger("spark_infer")


@dataclass(frozen=True)
class SklearnModel:
    """An estimator to be stored.

    Attributes:
        estimator: The estimator.
        columns: What it was fitted with.
        graph: What is stored of it.
        takes_nan: Whether each input of numbers may be NaN.
    """

    estimator: Any
    columns: Columns
    graph: OnnxModel
    takes_nan: Mapping[str, bool]


class SklearnFormat(Format):
    """Stores the graph that skl2onnx makes of an estimator."""

    name = "onnx"
    hint = (
        "skl2onnx computes otherwise than scikit-learn for such a row; take the step that differs "
        "out of the pipeline, or leave out columns that it does not need"
    )

    def take(self, model: Any, said: Said) -> Taken:
        """Convert the estimator, in float32 where that suffices."""
        if said.inputs is not None or said.task is not None:
            raise BundleError("of a scikit-learn model say the columns, and no inputs or task")
        columns = columns_of(model, said.columns, said.sample)
        problem = None
        for dtype in _DTYPES:
            found = self._taken(model, columns, said, dtype)
            if said.sample is None:
                return found
            apart = _largest_difference(found, said)
            _logger.info(
                "the ONNX model in %s is at most %.2g from scikit-learn on the sample", dtype, apart
            )
            if apart <= TOLERANCE:
                return found
            problem = problem or f"{apart:.2g} in {dtype}"
        raise BundleError(
            f"the bundle is not saved: what skl2onnx makes of the {type(model).__name__} is up to "
            f"{problem} from its own answers on the sample, and {TOLERANCE} is allowed; {self.hint}"
        )

    def _taken(self, model: Any, columns: Columns, said: Said, dtype: str) -> Taken:
        graph = convert(model, columns, dtype)
        known = replace(said, columns=None if columns.apart else list(columns.names))
        if said.signature is not None:
            known = replace(said, columns=None)
        signature = ONNX.take(graph, known).signature
        if said.signature is None:
            kept = [output for output in signature.outputs if _is_told(model, output)]
            named = [_named(output) for output in kept]
            signature = replace(signature, outputs=named)
        plain = SklearnModel(model, columns, ONNX.take(graph, Said(signature=signature)).model, {})
        takes_nan = _takes_nan(plain, signature, list(numbers_in(graph)))
        checked = guarded(graph, takes_nan)
        stored = ONNX.take(checked, Said(signature=signature)).model
        return Taken(SklearnModel(model, columns, stored, takes_nan), signature)

    def original(
        self, model: SklearnModel, signature: Signature
    ) -> AbstractContextManager[Original]:
        """Return the estimator itself."""
        return nullcontext(SklearnOriginal(model, signature))

    def prepare(
        self,
        model: SklearnModel,
        signature: Signature,
        *,
        module: str | None,
        arguments: Mapping[str, Any],
        one_row: bool,
        shown: Collection[tuple[int, ...]],
    ) -> Prepared:
        """Return what writes the graph."""
        return ONNX.prepare(
            model.graph,
            signature,
            module=module,
            arguments=arguments,
            one_row=one_row,
            shown=shown,
        )

    def load(self, bundle: Bundle, options: ModelOptions, allow_modules: Sequence[str]) -> Backend:
        """Load the graph."""
        return ONNX.load(bundle, options, allow_modules)


class SklearnOriginal(Stateless, HostBackend):
    """Runs an estimator.

    Args:
        model: The estimator.
        signature: Its inputs and outputs.
    """

    def __init__(self, model: SklearnModel, signature: Signature) -> None:
        self._estimator = model.estimator
        self._columns = model.columns
        self._takes_nan = model.takes_nan
        self._feeds = feeds_of(model.graph.graph, signature)
        self._fetches = fetches_of(model.graph.graph, signature)

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        arrays = {feed.name: feed.of(tensors[feed.name]) for feed in self._feeds}
        for name, takes_nan in self._takes_nan.items():
            if not takes_nan and not np.isfinite(arrays[name]).all():
                raise ValueError(f"a number is NaN or infinite in {name}")
        given: Any = arrays.get("X")
        if self._columns.apart:
            given = pd.DataFrame({n: arrays[n].reshape(-1) for n in self._columns.names})
        elif self._columns.is_frame:
            given = pd.DataFrame(given, columns=list(self._columns.names))
        with warnings.catch_warnings():
            # What it says of unknown words, or of overflow, it says where it predicts.
            warnings.simplefilter("ignore")
            return [fetch.of(self._answer(fetch.output, given)) for fetch in self._fetches]

    def _answer(self, output: Output, given: Any) -> Array:
        estimator = self._estimator
        if is_classifier(estimator) and output.dtype.startswith("float"):
            found = estimator.predict_proba(given)
        elif hasattr(estimator, "predict"):
            found = estimator.predict(given)
        else:
            found = estimator.transform(given)
        found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        if output.labels is not None:
            return found.astype(object)
        kinds = {"f": "f", "b": "i", "i": "i", "u": "i"}
        is_same = kinds.get(found.dtype.kind) == output.dtype[0]
        return found.astype(output.dtype) if is_same else found


def _takes_nan(model: SklearnModel, signature: Signature, names: list[str]) -> dict[str, bool]:
    """Return for each input of numbers whether NaN in it has the estimator's own answer."""
    shapes = {item.tensor_name: len(item.column_names) for item in signature.inputs}
    dtypes = {item.tensor_name: item.dtype for item in signature.inputs}
    usual = {name: np.zeros((1, size), dtypes[name]) for name, size in shapes.items()}
    return {
        name: all(_agrees(model, signature, usual, name, at) for at in range(shapes[name]))
        for name in names
    }


def _agrees(
    model: SklearnModel, signature: Signature, usual: Mapping[str, Array], name: str, place: int
) -> bool:
    """Return whether estimator and graph answer alike to a row with NaN in one column."""
    array = usual[name].copy()
    array[0, place] = np.nan
    rows = {**usual, name: array}
    try:
        own = SklearnOriginal(model, signature).run(rows)
    except Exception:  # an estimator may raise anything, and that it does is the answer
        return False
    with ONNX.original(model.graph, signature) as graph:
        pairs = zip(own, graph.run(rows), strict=True)
        return all(_difference(one, other.reshape(one.shape)) <= TOLERANCE for one, other in pairs)


def _is_told(estimator: Any, output: Output) -> bool:
    """Return whether the estimator itself gives an output, to compare it with."""
    is_score = is_classifier(estimator) and output.dtype.startswith("float")
    return not is_score or hasattr(estimator, "predict_proba")


def _named(output: Output) -> Output:
    name = _NAMES.get(output.name, output.name)
    return output if name == output.name else replace(output, name=name, tensor=output.tensor_name)


def _largest_difference(taken: Taken, said: Said) -> float:
    """Return how far the graph is from the estimator on the sample; infinity for other labels."""
    assert said.sample is not None
    sample = said.sample.slice(0, _MAX_ROWS)
    exact, stored = (
        make_decoder(of).decode(sample) for of in (_wide(taken.signature), taken.signature)
    )
    rows = Rows(stored.rejects.accepted.positions)
    if not len(rows):
        return 0.0
    with (
        SklearnFormat().original(taken.model, taken.signature) as estimator,
        ONNX.original(taken.model.graph, taken.signature) as graph,
    ):
        given = exact.tensors(rows), stored.tensors(rows)
        pairs = zip(estimator.run(given[0]), graph.run(given[1]), strict=True)
        return max(_difference(one, other.reshape(one.shape)) for one, other in pairs)


def _wide(signature: Signature) -> Signature:
    """Return a signature whose floats are float64, as scikit-learn has them."""
    inputs = [
        replace(item, dtype="float64") if item.dtype.startswith("float") else item
        for item in signature.inputs
    ]
    return replace(signature, inputs=inputs)


def _difference(one: Array, other: Array) -> float:
    if one.dtype.kind != "f":
        return 0.0 if (one == other).all() else float("inf")
    if (np.isnan(one) != np.isnan(other)).any():
        return float("inf")
    apart = np.abs(one - other) / np.maximum(np.abs(one), 1)
    return float(np.nanmax(apart, initial=0.0))


FORMAT = SklearnFormat()
