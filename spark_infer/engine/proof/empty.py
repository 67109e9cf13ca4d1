"""Rows of which a ragged input is empty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.backends.fault import sentence
from spark_infer.bundle import Input, RaggedInput, Signature
from spark_infer.engine.proof.advice import WIDE, runs
from spark_infer.engine.proof.answers import Trial, accepted
from spark_infer.engine.proof.probe import probe
from spark_infer.engine.proof.yardstick import Yardstick
from spark_infer.errors import PredictionError, SignatureError
from spark_infer.tensors import Decoder


def with_min_lengths(
    model: Backend, signature: Signature, *, tolerance: float, in_batches: bool
) -> tuple[Signature, list[str]]:
    """Let inputs whose empty rows have no sure answer reject them; return also what to note.

    Args:
        model: The model.
        signature: Its inputs and outputs.
        tolerance: How far apart two answers may be.
        in_batches: Whether rows are padded at all.

    Raises:
        SignatureError: Such an input says that it takes empty rows.
    """
    inputs: list[Input] = []
    notes = []
    for item in signature.inputs:
        if isinstance(item, RaggedInput) and not item.min_length:
            problem = _problem(model, signature, item, tolerance, in_batches)
            if problem is not None and (item.min_length == 0 or item.nulls == "empty"):
                raise SignatureError(
                    f"the bundle is not saved: {problem} where input {item.name!r} is empty; "
                    "give the input min_length=1 and nulls='reject'"
                )
            if problem is not None:
                notes.append(
                    f"input {item.name!r}: rows without a value are rejected (min_length=1): "
                    f"{problem}"
                )
                item = replace(item, min_length=1)
        inputs.append(item)
    return replace(signature, inputs=inputs), notes


def _problem(
    model: Backend, signature: Signature, item: RaggedInput, tolerance: float, in_batches: bool
) -> str | None:
    """Say why a row that is empty in this input has no sure answer, or return None."""
    rows = probe(signature).slice(0, 1)
    empty = pa.RecordBatch.from_pydict(
        {
            field.name: pa.array([[]], field.type) if field.name == item.column else column
            for field, column in zip(rows.schema, rows.columns, strict=True)
        }
    )
    decoded = Decoder(signature).decode(empty)
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
