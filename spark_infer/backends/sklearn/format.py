"""Estimators of scikit-learn: converted to ONNX, and compared with their own answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from spark_infer.backends.backend import Array, Backend
from spark_infer.backends.formats import Format, Prepared, Said, Taken
from spark_infer.backends.onnx.format import FORMAT as ONNX
from spark_infer.backends.onnx.guard import guarded, numbers_in
from spark_infer.backends.onnx.model.exact import exact
from spark_infer.backends.options import ModelOptions
from spark_infer.backends.original import Original
from spark_infer.backends.sklearn.convert import Columns, columns_of, convert
from spark_infer.backends.sklearn.encoders import check_unknown, difference
from spark_infer.backends.sklearn.methods import method_of
from spark_infer.backends.sklearn.missing import takes_nan
from spark_infer.backends.sklearn.original import (
    TOLERANCE,
    SklearnModel,
    SklearnOriginal,
    differences,
    graph_answers,
)
from spark_infer.bundle import Bundle, Output, Signature
from spark_infer.errors import BundleError, SignatureError, SparkInferError
from spark_infer.tensors.rows import Rows
from spark_infer.transforms import make_decoder

_MAX_ROWS = 1024
_DTYPES = ("float32", "float64")
_NAMES = {"variable": "prediction", "output_label": "label", "output_probability": "probabilities"}

_logger = logging.getLogger("spark_infer")


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
        check_unknown(model)
        problem = None
        for dtype in _DTYPES:
            try:
                found = self._taken(model, columns, said, dtype)
            except SparkInferError:
                if problem is None:
                    raise
                break
            rows = None if said.sample is None else _tensors(said.sample, found.signature)
            other = difference(found.model, found.signature, rows)
            if other is not None:
                problem = problem or (
                    f"other than its own answers for {other}, in {dtype} (an encoder of numbers "
                    "has to be the first step for its columns)"
                )
                continue
            if said.sample is None:
                return found
            apart = _largest_difference(found, said)
            _logger.info(
                "the ONNX model in %s is at most %.2g from scikit-learn on the sample", dtype, apart
            )
            if apart <= TOLERANCE:
                return found
            problem = (
                problem
                or f"up to {apart:.2g} in {dtype} from its own answers on the sample, and "
                f"{TOLERANCE} is allowed"
            )
        raise BundleError(
            f"the bundle is not saved: what skl2onnx makes of the {type(model).__name__} is "
            f"{problem}; {self.hint}"
        )

    def _taken(self, model: Any, columns: Columns, said: Said, dtype: str) -> Taken:
        fractions = (
            columns.fractions if columns.apart else frozenset(["X"] if columns.fractions else [])
        )
        graph = exact(convert(model, columns, dtype), fractions)
        known = replace(said, columns=None if columns.apart else list(columns.names))
        if said.signature is not None:
            known = replace(said, columns=None)
        signature = ONNX.take(graph, known).signature
        if said.signature is None:
            kept = [output for output in signature.outputs if method_of(model, output) is not None]
            named = [_named(output) for output in kept]
            signature = replace(signature, outputs=named)
        for output in signature.outputs:
            if method_of(model, output) is None:
                raise SignatureError(
                    f"output {output.name!r}: the {type(model).__name__} has no method that gives "
                    f"{output.tensor_name!r} of the ONNX model, so that nothing can be compared "
                    "with it; leave the output out"
                )
        plain = SklearnModel(model, columns, ONNX.take(graph, Said(signature=signature)).model, {})
        sample = None if said.sample is None else _tensors(said.sample, signature)
        may_be = takes_nan(plain, signature, list(numbers_in(graph)), sample)
        checked = guarded(graph, may_be)
        stored = ONNX.take(checked, Said(signature=signature)).model
        return Taken(SklearnModel(model, columns, stored, may_be), signature)

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


def _named(output: Output) -> Output:
    name = _NAMES.get(output.name, output.name)
    return output if name == output.name else replace(output, name=name, tensor=output.tensor_name)


def _tensors(sample: pa.RecordBatch | pa.Table, signature: Signature) -> dict[str, Array]:
    """Return rows of the sample that a signature takes, as tensors."""
    decoded = make_decoder(signature).decode(sample.slice(0, _MAX_ROWS))
    return dict(decoded.tensors(Rows(decoded.rejects.accepted.positions)))


def _largest_difference(taken: Taken, said: Said) -> float:
    """Return how far the graph is from the estimator on the sample; infinity for other labels."""
    assert said.sample is not None
    sample = said.sample.slice(0, _MAX_ROWS)
    exact, stored = (
        make_decoder(of).decode(sample) for of in (_wide(taken.signature), taken.signature)
    )
    positions = stored.rejects.accepted.positions
    rows = Rows(positions[_are_taken(stored.tensors(Rows(positions)), taken.model.takes_nan)])
    if not len(rows):
        return 0.0
    own = SklearnOriginal(taken.model, taken.signature).run(exact.tensors(rows))
    graphs = graph_answers(taken.model, taken.signature, stored.tensors(rows))
    pairs = zip(own, graphs, taken.signature.outputs, strict=True)
    return max(float(differences(*pair, slack=1.0).max(initial=0.0)) for pair in pairs)


def _are_taken(tensors: Mapping[str, Array], takes_nan: Mapping[str, bool]) -> Array:
    """Return which rows hold no NaN or infinity that the bundle rejects."""
    found = np.ones(len(next(iter(tensors.values()))), np.bool_)
    for name, takes in takes_nan.items():
        good = np.isfinite(tensors[name]) | (np.isnan(tensors[name]) if takes else False)
        found &= good.reshape(len(found), -1).all(axis=1)
    return found


def _wide(signature: Signature) -> Signature:
    """Return a signature whose floats are float64, as scikit-learn has them."""
    inputs = [
        replace(item, dtype="float64") if item.dtype.startswith("float") else item
        for item in signature.inputs
    ]
    return replace(signature, inputs=inputs)


FORMAT = SklearnFormat()
