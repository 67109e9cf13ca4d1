"""Rows that fit a signature, to try a model on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput, Signature
from spark_infer.tensors import arrow_dtype


def zero_sample(signature: Signature, num_rows: int) -> pa.RecordBatch:
    """Return rows of zeros (a vocabulary's first word) in the signature's columns.

    Row ``i`` of a ragged column holds ``i + 1`` positions, at most its ``max_length``.
    """
    columns: dict[str, pa.Array] = {}
    for item in signature.inputs:
        for name in item.column_names:
            columns[name] = _zeros(item, num_rows)
    return pa.RecordBatch.from_pydict(columns)


def _zeros(item: Input, num_rows: int) -> pa.Array:
    if isinstance(item, ScalarInput):
        return _flat(item, num_rows)
    if isinstance(item, ArrayInput):
        return _nest(item, item.item_shape, num_rows)
    assert isinstance(item, RaggedInput)
    lengths = np.minimum(np.arange(1, num_rows + 1), item.max_length or num_rows)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    total = int(lengths.sum())
    if item.fields:
        parts = [_flat(item, total) for _ in item.fields]
        return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(parts, item.fields))
    return pa.ListArray.from_arrays(offsets, _nest(item, item.item_shape, total))


def _nest(item: Input, shape: tuple[int, ...], count: int) -> pa.Array:
    array = _flat(item, count * int(np.prod(shape, dtype=np.int64)))
    for size in reversed(shape):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _flat(item: Input, count: int) -> pa.Array:
    if item.vocabulary is not None:
        return pa.array([item.vocabulary[0]] * count)
    return pa.array(np.zeros(count, item.dtype), arrow_dtype(item.dtype))
