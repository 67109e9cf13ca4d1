"""What would help a model that fails on a batch that its signature allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from spark_infer.backends import Array, Backend
from spark_infer.backends.failures.fault import sentence
from spark_infer.bundle import Input, RaggedInput
from spark_infer.bundle.columns import FLOAT_DTYPES
from spark_infer.engine.proof.answers import Answer, Trial
from spark_infer.engine.proof.words import shown_row
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
        raise SignatureError(f"the bundle is not saved: {error}") from None
    except Exception as error:
        # A model may raise anything.
        tensors = ", ".join(
            f"{name} {array.dtype}{list(array.shape)}"
            for name, array in trial.tensors(decoded).items()
        )
        raise SignatureError(
            f"the bundle is not saved: the model fails ({sentence(error)}) on a batch that the "
            f"signature allows: it was called with {tensors}, the first row is "
            f"{shown_row(source, int(trial.rows[0]))}; {way_out(model, decoded, trial)}"
        ) from None


def way_out(model: Backend, decoded: Decoded, trial: Trial) -> str:
    """Say what would help a model that fails on a batch."""
    if hint := _other_ids(model, decoded, trial) or _whole_numbers(model, decoded, trial):
        return hint
    ragged = decoded.signature.ragged
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
    return "correct the model or the signature"


def _other_ids(model: Backend, decoded: Decoded, trial: Trial) -> str | None:
    """Say which ids the model has no place for, if it runs without them."""
    tensors = trial.tensors(decoded)
    known = [item for item in decoded.signature.inputs if item.vocabulary is not None]
    # One by one, and then all together: each may lack a place.
    for inputs in (*([item] for item in known), known if len(known) > 1 else []):
        ids = {item: tensors[item.tensor_name] for item in inputs}
        known_only = {i.tensor_name: np.where(of == i.unknown_id, 0, of) for i, of in ids.items()}
        if ids and _runs_on(model, tensors | known_only):
            return "; ".join(map(_unknown_id, ids))
        none = {i.tensor_name: np.zeros_like(of) for i, of in ids.items()}
        if ids and _runs_on(model, tensors | none):
            return "; ".join(map(_all_ids, ids))
    return None


def _unknown_id(item: Input) -> str:
    return (
        f"it has no place for id {item.unknown_id} of input {item.name!r}, which values outside "
        f"the vocabulary become: {_embedding(item)}"
    )


def _all_ids(item: Input) -> str:
    return f"it has no place for all ids of input {item.name!r}: {_embedding(item)}"


def _embedding(item: Input) -> str:
    assert item.vocabulary is not None
    assert item.unknown_id is not None
    rows = max(len(item.vocabulary), item.unknown_id + 1)
    size = "len(vocabulary) + 1" if item.unknown_id == len(item.vocabulary) else str(rows)
    return f"an embedding needs {rows} rows, Embedding({size}, ...)"


def _whole_numbers(model: Backend, decoded: Decoded, trial: Trial) -> str | None:
    """Say which input the model takes as integers, such as ids."""
    tensors = trial.tensors(decoded)
    for item in decoded.signature.inputs:
        name = item.tensor_name
        if item.dtype in FLOAT_DTYPES and _runs_on(
            model, tensors | {name: np.zeros(tensors[name].shape, np.int64)}
        ):
            return f"it runs on integers in input {item.name!r}: give that dtype='int64'"
    return None


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
    return _runs_on(model, trial.tensors(decoded))


def _runs_on(model: Backend, tensors: Mapping[str, Array]) -> bool:
    try:
        model.run(tensors)
    except Exception:  # a model may raise anything, and that it does is the answer
        return False
    return True
