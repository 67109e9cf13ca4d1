"""Estimators of scikit-learn: converted to ONNX, and compared with their own answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
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
from spark_infer.backends.sklearn.between import rows_between
from spark_infer.backends.sklearn.convert import Columns, columns_of, convert
from spark_infer.backends.sklearn.encoders import check_unknown, difference
from spark_infer.backends.sklearn.methods import method_of
from spark_infer.backends.sklearn.missing import takes_infinity, takes_nan
from spark_infer.backends.sklearn.original import (
    TOLERANCE,
    SklearnModel,
    SklearnOriginal,
    differences,
    graph_answers,
)
from spark_infer.backends.sklearn.steps import has_steps, needs_sample
from spark_infer.bundle import Bundle, Output, Signature
from spark_infer.errors import BundleError, SignatureError, SparkInferError
from spark_infer.tensors.rows import Rows
from spark_infer.transforms import make_decoder

_MAX_ROWS = 1024
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
        """Convert the estimator, in float32 where that suffices.

        What jumps is converted in float64; where skl2onnx cannot, the sample has to show that
        float32 does it no harm.
        """
        if said.inputs is not None or said.task is not None:
            raise BundleError("of a scikit-learn model say the columns, and no inputs or task")
        columns = columns_of(model, said.columns, said.sample)
        check_unknown(model)
        if said.sample is None and needs_sample(model):
            raise BundleError(
                f"the {type(model).__name__} looks for neighbors, or ranks numbers, and what "
                "skl2onnx makes of it may choose otherwise among those that are alike; pass "
                "sample=ROWS, some rows such as it will predict, to show that it does not"
            )
        jumps = has_steps(model)
        problem: SparkInferError | None = None
        for dtype in ("float64", "float32") if jumps else ("float32", "float64"):
            if problem is not None and jumps and said.sample is None:
                raise BundleError(
                    f"the {type(model).__name__} jumps where a number passes a split, and cannot "
                    f"be converted in float64 ({problem}); pass sample=ROWS, some rows such as it "
                    "will predict, to show that float32 does it no harm"
                )
            try:
                found = self._taken(model, columns, said, dtype)
                self._check(found, said, dtype)
            except SparkInferError as error:
                problem = error if dtype == "float32" else problem or error
            else:
                return found
        assert problem is not None
        raise problem

    def _check(self, taken: Taken, said: Said, dtype: str) -> None:
        """Raise BundleError where the graph answers otherwise than the estimator."""
        rows = None if said.sample is None else _tensors(said.sample, taken.signature)
        other = difference(taken.model, taken.signature, rows)
        if other is not None:
            raise self._refused(
                taken,
                f"other than its own answers for {other}, in {dtype} (an encoder of numbers "
                "has to be the first step for its columns)",
            )
        if said.sample is None:
            return
        sample = said.sample.slice(0, _MAX_ROWS)
        apart = _largest_difference(taken, sample)
        if has_steps(taken.model.estimator):
            with suppress(Exception):  # rows that nobody gave it may be none that it takes
                apart = max(apart, _largest_difference(taken, rows_between(sample)))
        _logger.info(
            "the ONNX model in %s is at most %.2g from scikit-learn on the sample", dtype, apart
        )
        if apart > TOLERANCE:
            raise self._refused(
                taken,
                f"up to {apart:.2g} in {dtype} from its own answers on the sample, or on rows "
                f"between its values, and {TOLERANCE} is allowed",
            )

    def _refused(self, taken: Taken, problem: str) -> BundleError:
        return BundleError(
            "the bundle is not saved: what skl2onnx makes of the "
            f"{type(taken.model.estimator).__name__} is {problem}; {self.hint}"
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
        numbers = list(numbers_in(graph))
        any_number = takes_infinity(plain, signature, numbers, sample)
        may_be = takes_nan(plain, signature, numbers, sample)
        may_be = {
            n: is_taken for n, is_taken in may_be.items() if not is_taken or n not in any_number
        }
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


def _largest_difference(taken: Taken, sample: pa.RecordBatch | pa.Table) -> float:
    """Return how far the graph is from the estimator on rows; infinity for other labels."""
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
