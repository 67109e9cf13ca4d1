"""Rows to try a model on: random, the same in every run, and with what the signature allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput, Signature
from spark_infer.bundle.columns import NullRule
from spark_infer.tensors import arrow_dtype

LENGTHS = (1, 2, 3, 5, 8, 17, 33, 64, 129)
"""Lengths around powers of two, where kernels change; longer ones only up to ``max_length``."""

NUM_ALIKE = 9
"""Rows of one length, to be run in batches of one to nine."""

_ALIKE = 3
_SEED = 20_180_808


def probe(signature: Signature) -> pa.RecordBatch:
    """Return rows that cover a signature.

    The first ``NUM_ALIKE`` rows have one length, the next ones each length that the signature
    allows, the last one is empty. Nulls stand where the null rules take them; vocabulary columns
    hold the first and the last word, one that is unknown, and others. Numbers of float inputs are
    normal, some ten times that, those of other inputs 0 or 1: an id without a vocabulary may be
    limited by the model, and nobody has said how.
    """
    random = np.random.default_rng(_SEED)
    lengths = [_ALIKE] * NUM_ALIKE + list(_lengths(signature))
    lengths += [0]
    columns: dict[str, pa.Array] = {}
    for number, item in enumerate(signature.inputs):
        # Long rows of one input stand beside short rows of another.
        turned = lengths if number == 0 else [*lengths[:NUM_ALIKE], *lengths[NUM_ALIKE:-1][::-1], 0]
        for name in item.column_names:
            columns[name] = _column(item, name, _allowed(item, turned), random)
    return pa.RecordBatch.from_pydict(columns)


def _lengths(signature: Signature) -> Sequence[int]:
    """Return the lengths to try, or as many ones for a signature without ragged inputs."""
    ragged = [item for item in signature.inputs if isinstance(item, RaggedInput)]
    if not ragged:
        return [1] * NUM_ALIKE
    most = max(item.max_length or LENGTHS[-1] for item in ragged)
    longer = [LENGTHS[-1]]
    while longer[-1] * 4 < most:
        longer.append(longer[-1] * 4)
    return sorted({min(length, most) for length in (*LENGTHS, *longer, most)})


def _allowed(item: Input, lengths: Sequence[int]) -> list[int]:
    if not isinstance(item, RaggedInput):
        return [1] * len(lengths)
    least, most = item.min_length or 0, item.max_length or max(lengths)
    return [min(max(length, least), most) for length in lengths]


def _column(item: Input, name: str, lengths: list[int], random: np.random.Generator) -> pa.Array:
    if isinstance(item, ScalarInput):
        (rule,) = (column.nulls for column in item.source_columns if column.name == name)
        return _flat(item, len(lengths), random, rule)
    assert isinstance(item, ArrayInput | RaggedInput)
    if isinstance(item, ArrayInput):
        return _nest(item, item.item_shape, len(lengths), random)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    total = sum(lengths)
    if not item.fields:
        return pa.ListArray.from_arrays(offsets, _nest(item, item.item_shape, total, random))
    parts = [_flat(item, total, random, item.null_items) for _ in item.fields]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(parts, list(item.fields)))


def _nest(
    item: ArrayInput | RaggedInput,
    shape: tuple[int, ...],
    count: int,
    random: np.random.Generator,
) -> pa.Array:
    array = _flat(item, count * int(np.prod(shape, dtype=np.int64)), random, item.null_items)
    for size in reversed(shape):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _flat(item: Input, count: int, random: np.random.Generator, nulls: NullRule) -> pa.Array:
    """Return values of an input's elements; every eleventh is null where the rule takes nulls."""
    missing = np.zeros(count, np.bool_) if nulls == "reject" else np.arange(count) % 11 == 7
    if item.vocabulary is not None:
        words = [item.vocabulary[0], item.vocabulary[-1], _unknown(item.vocabulary)]
        picked = random.integers(0, len(item.vocabulary), count)
        values = [
            words[index % 5] if index % 5 < len(words) else item.vocabulary[number]
            for index, number in enumerate(picked)
        ]
        return pa.array(values, mask=missing)
    if np.dtype(item.dtype).kind == "f":
        numbers = random.standard_normal(count) * random.choice([0.0, 1.0, 1.0, 10.0], count)
    else:
        numbers = random.integers(0, 2, count)
    return pa.array(numbers.astype(item.dtype), arrow_dtype(item.dtype), mask=missing)


def _unknown(vocabulary: Sequence[Any]) -> Any:
    """Return a value of the vocabulary's kind that is not in it."""
    if isinstance(vocabulary[0], str):
        return max(vocabulary, key=len) + "?"
    known = set(vocabulary)
    return next(number for number in range(len(known) + 1) if number not in known)
