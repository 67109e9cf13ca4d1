"""What would help a model that fails on a batch that its signature allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.bundle import RaggedInput
from spark_infer.engine.proof.answers import Answer, Trial
from spark_infer.engine.proof.words import sentence, shown_row
from spark_infer.errors import PredictionError, SignatureError
from spark_infer.tensors import Decoded, PadRule, Ragged

WIDE = PadRule(multiple=16)
"""Pads short rows far beyond their end."""


def run_or_refuse(
    model: Backend, decoded: Decoded, trial: Trial, source: pa.RecordBatch | pa.Table
) -> list[Answer]:
    """Return the model's answers to a batch.

    Raises:
        SignatureError: It fails, or its outputs do not fit the signature.
    """
    try:
        return trial.run(model, decoded)
    except PredictionError as error:
        raise SignatureError(f"the bundle is not saved: {error}") from error
    except Exception as error:
        # A model may raise anything.
        tensors = ", ".join(
            f"{name} {array.dtype}{list(array.shape)}"
            for name, array in decoded.tensors(trial.rows, trial.pad).items()
        )
        raise SignatureError(
            f"the bundle is not saved: the model fails ({sentence(error)}) on a batch that the "
            f"signature allows: it was called with {tensors}, the first row is "
            f"{shown_row(source, int(trial.rows[0]))}; {way_out(model, decoded, trial)}"
        ) from error


def way_out(model: Backend, decoded: Decoded, trial: Trial) -> str:
    """Say what would help a model that fails on a batch."""
    ragged = [item for item in decoded.signature.inputs if isinstance(item, RaggedInput)]
    lengths = {item.name: int(decoded.lengths(item.name)[trial.rows].max()) for item in ragged}
    for item in ragged:
        length = lengths[item.name]
        if (most := _longest_thatruns(model, decoded, trial, item, length)) is not None:
            return (
                f"it runs on {most} positions of input {item.name!r}: give that max_length={most}"
            )
        for multiple in range(length + 1, length + WIDE.multiple):
            if runs(model, decoded, Trial(trial.rows, PadRule(multiple=multiple))):
                return (
                    f"it runs on {multiple} positions of input {item.name!r}: give that "
                    f"pad_multiple={multiple}, or min_length where short rows mean nothing"
                )
    return (
        "correct the model or the signature (a vocabulary's ids reach from 0 to unknown_id, so an "
        "embedding needs len(vocabulary) + 1 rows)"
    )


def _longest_thatruns(
    model: Backend, decoded: Decoded, trial: Trial, item: RaggedInput, fails: int
) -> int | None:
    """Return the greatest length of an input on which the model runs, or None where none helps."""
    fits = 0
    while fails - fits > 1:
        length = (fits + fails) // 2
        if runs(model, _cut(decoded, item, length), trial):
            fits = length
        else:
            fails = length
    return fits or None


def _cut(decoded: Decoded, item: RaggedInput, length: int) -> Decoded:
    data = decoded.inputs[item.name]
    assert isinstance(data, Ragged)
    short = replace(data, lengths=np.minimum(data.lengths, length))
    return replace(decoded, inputs={**decoded.inputs, item.name: short})


def runs(model: Backend, decoded: Decoded, trial: Trial) -> bool:
    """Return whether the model runs on a batch without raising."""
    try:
        model.run(decoded.tensors(trial.rows, trial.pad))
    except Exception:  # a model may raise anything, and that it does is the answer
        return False
    return True
