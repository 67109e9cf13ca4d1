"""Rows of which a ragged input is empty."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.backends.failures.fault import sentence
from spark_infer.bundle import RaggedInput, Signature
from spark_infer.engine.proof.advice import WIDE, runs
from spark_infer.engine.proof.answers import Trial, accepted
from spark_infer.engine.proof.probe import probe
from spark_infer.engine.proof.yardstick import Yardstick
from spark_infer.errors import PredictionError, SignatureError
from spark_infer.transforms import make_decoder

_logger = logging.getLogger("spark_infer")


def with_min_lengths(
    model: Backend, signature: Signature, *, tolerance: float, in_batches: bool
) -> Signature:
    """Return the signature in which inputs whose empty rows have no sure answer reject them.

    Args:
        model: The model.
        signature: Its inputs and outputs.
        tolerance: How far apart two answers may be.
        in_batches: Whether rows are padded at all.

    Raises:
        SignatureError: Such an input says that it takes empty rows.
    """
    for item in _open(signature):
        signature = _guarded(model, signature, [item], tolerance, in_batches)
    # Each may be empty beside others that are not, and still not all of them at once.
    while len(together := _open(signature)) > 1:
        guarded = _guarded(model, signature, together, tolerance, in_batches)
        if guarded == signature:
            break
        signature = guarded
    return signature


def _open(signature: Signature) -> list[RaggedInput]:
    """Return the inputs that take empty rows."""
    return [item for item in signature.ragged if not item.min_length]


def _guarded(
    model: Backend,
    signature: Signature,
    items: Sequence[RaggedInput],
    tolerance: float,
    in_batches: bool,
) -> Signature:
    """Return the signature in which one of some inputs rejects empty rows, if it has to."""
    problem = _problem(model, signature, items, tolerance, in_batches)
    if problem is None:
        return signature
    free = [item for item in items if item.min_length is None and item.nulls != "empty"]
    if not free:
        names = " and ".join(repr(item.name) for item in items)
        are = "input {} is empty" if len(items) == 1 else "inputs {} are empty"
        raise SignatureError(
            f"the bundle is not saved: {problem} where {are.format(names)}; give the input "
            "min_length=1 and nulls='reject'"
        )
    _logger.warning(
        "input %r: rows without a value are rejected (min_length=1): %s", free[-1].name, problem
    )
    inputs = [
        replace(item, min_length=1) if item is free[-1] else item for item in signature.inputs
    ]
    return replace(signature, inputs=inputs)


def _problem(
    model: Backend,
    signature: Signature,
    items: Sequence[RaggedInput],
    tolerance: float,
    in_batches: bool,
) -> str | None:
    """Say why a row that is empty in these inputs has no sure answer, or return None."""
    columns = {item.column for item in items}
    rows = probe(signature).slice(0, 1)
    empty = pa.RecordBatch.from_pydict(
        {
            field.name: _no_items(field.type) if field.name in columns else column
            for field, column in zip(rows.schema, rows.columns, strict=True)
        }
    )
    decoded = make_decoder(signature).decode(empty)
    if not accepted(decoded).size:
        return None
    try:
        (alone,) = Trial(np.array([0])).run(model, decoded)
    except PredictionError:
        return None
    except Exception as error:
        # A model may raise anything; what it raises for other rows too is told for those.
        return f"the model fails ({sentence(error)})"
    if any(value.dtype.kind == "f" and np.isnan(value).any() for value in alone):
        return "the model answers NaN"
    if not in_batches or not runs(model, decoded, wide := Trial(np.array([0]), WIDE)):
        return None
    (padded,) = wide.run(model, decoded)
    yardstick = Yardstick.of([alone, padded], signature.outputs, tolerance)
    if yardstick.difference(alone, padded, signature.outputs) is None:
        return None
    return "the model's answer depends on padding"


def _no_items(kind: pa.DataType) -> pa.Array:
    """Return a row without items, which are bytes where a transform makes arrays of them."""
    return pa.array([[] if pa.types.is_list(kind) else b""], kind)
