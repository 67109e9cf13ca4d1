"""An estimator itself, to compare its graph with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spark_infer.backends.backend import Array
from spark_infer.backends.failures.fault import sentence
from spark_infer.backends.host import HostBackend
from spark_infer.backends.onnx.format import FORMAT as ONNX
from spark_infer.backends.onnx.format import OnnxModel
from spark_infer.backends.onnx.tensors import feeds_of, fetches_of
from spark_infer.backends.original import Stateless
from spark_infer.backends.sklearn.convert import Columns, dtype_of
from spark_infer.backends.sklearn.methods import method_of
from spark_infer.bundle import Output, Signature
from spark_infer.errors import BundleError

TOLERANCE = 1e-4
"""How far a score may be from scikit-learn's own, as a share of it and of their usual size."""
SLACK = 200.0
"""How many times their usual size scores of a few rows count as, which may all be small."""
_LEAST_SIZE = 5e-5
"""Smaller scores count as of this size: they may be what is left of larger numbers that cancel."""


@dataclass(frozen=True)
class SklearnModel:
    """An estimator to be stored.

    Attributes:
        estimator: The estimator.
        columns: What it was fitted with.
        graph: What is stored of it.
        takes_nan: Whether each input of numbers may be NaN, of those that take no infinity.
    """

    estimator: Any
    columns: Columns
    graph: OnnxModel
    takes_nan: Mapping[str, bool]


class SklearnOriginal(Stateless, HostBackend):
    """Runs an estimator.

    Args:
        model: The estimator.
        signature: Its inputs and outputs.
    """

    def __init__(self, model: SklearnModel, signature: Signature) -> None:
        self._estimator = model.estimator
        self._dtype = dtype_of(model.estimator)
        self._columns = model.columns
        self._takes_nan = model.takes_nan
        self._feeds = feeds_of(model.graph.graph, signature)
        self._fetches = fetches_of(model.graph.graph, signature)

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        given = self.given(tensors)
        with warnings.catch_warnings():
            # What it says of unknown words, or of overflow, it says where it predicts.
            warnings.simplefilter("ignore")
            return [fetch.of(self._answer(fetch.output, given)) for fetch in self._fetches]

    def given(self, tensors: Mapping[str, Array]) -> Any:
        """Return a batch as the estimator takes it: a frame, or an array.

        Raises:
            ValueError: It holds NaN or infinity where the bundle takes none.
        """
        arrays = {feed.name: feed.of(tensors[feed.name]) for feed in self._feeds}
        for name, takes_nan in self._takes_nan.items():
            if not takes_nan and not np.isfinite(arrays[name]).all():
                raise ValueError(f"a number is NaN or infinite in {name}")
        for name, array in arrays.items():
            if array.dtype.kind == "f":
                arrays[name] = array.astype(self._dtype)
        if self._columns.apart:
            return pd.DataFrame({n: arrays[n].reshape(-1) for n in self._columns.names})
        if self._columns.is_frame:
            return pd.DataFrame(arrays["X"], columns=list(self._columns.names))
        return arrays["X"]

    def _answer(self, output: Output, given: Any) -> Array:
        method = method_of(self._estimator, output)
        assert method is not None
        found = getattr(self._estimator, method)(given)
        found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        if output.labels is not None:
            return found.astype(object)
        kinds = {"f": "f", "b": "i", "i": "i", "u": "i"}
        is_same = kinds.get(found.dtype.kind) == output.dtype[0]
        if method == "predict" and output.dtype == "int64" and found.dtype.kind == "f":
            is_same = bool(
                (found == np.round(found)).all()
            )  # classes that were given as 0.0 and 1.0
        return found.astype(output.dtype) if is_same else found


def graph_answers(
    model: SklearnModel, signature: Signature, tensors: Mapping[str, Array]
) -> Sequence[Array]:
    """Return what the graph answers to a batch.

    Raises:
        BundleError: It fails.
    """
    with ONNX.original(model.graph, signature) as graph:
        try:
            return graph.run(tensors)
        except Exception as error:
            # What ONNX Runtime raises has no common class.
            raise BundleError(
                f"the bundle is not saved: what skl2onnx makes of the "
                f"{type(model.estimator).__name__} fails where the estimator does not "
                f"({sentence(error)}); register a converter of its own with skl2onnx, or save one "
                "estimator for each of its outputs"
            ) from None


def differences(one: Array, other: Array, output: Output, *, slack: float = SLACK) -> Array:
    """Return how far each row's answers are apart; infinity for another label.

    Args:
        one: The estimator's, (rows, ...).
        other: The graph's.
        output: What they are, for the message.
        slack: How many times their usual size the scores count as at least.

    Raises:
        BundleError: They are not of the same numbers for each row.
    """
    if one.size != other.size:
        raise BundleError(
            f"the bundle is not saved: output {output.name!r} of what skl2onnx makes of the "
            f"estimator has shape {list(other.shape)}, and the estimator's own answers have "
            f"{list(one.shape)}; leave it out of the signature, or pass an ONNX model that you "
            "converted yourself"
        )
    rows = len(one)
    one, other = one.reshape(rows, -1), other.reshape(rows, -1)
    if one.dtype.kind != "f":
        apart = np.where(one == other, 0.0, np.inf)
    else:
        with np.errstate(invalid="ignore"):
            apart = np.abs(one - other) / np.maximum(np.abs(one), _least(one, slack))
        apart[np.isnan(one) & np.isnan(other)] = 0
        apart[np.isnan(one) != np.isnan(other)] = np.inf
        apart[one == other] = 0
    found: Array = apart.max(axis=1, initial=0.0)
    return found


def _least(scores: Array, slack: float) -> float:
    """Return what scores count as at least; where they are large, those beside them as 1."""
    sizes = np.abs(scores[np.isfinite(scores) & (scores != 0)])
    return min(1.0, slack * max(float(np.median(sizes)), _LEAST_SIZE)) if sizes.size else 1.0
