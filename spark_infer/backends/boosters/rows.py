"""Rows on which trees split: random numbers would take the same way through most of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from spark_infer.backends.backend import Array
from spark_infer.bundle import ArrayInput, Input, ScalarInput, Signature

NUM_ROWS = 128
_SEED = 20_180_808
_MISSING = 0.05
_EXACT = 0.2
_HUGE = 1e30
"""A threshold beyond it parts missing values from all numbers."""


def rows_at(thresholds: Mapping[int, Array], signature: Signature) -> pa.RecordBatch | None:
    """Return rows around the numbers at which trees split, the same in every run.

    Args:
        thresholds: These numbers, by the feature's position.
        signature: The inputs, whose tensors are the features side by side.

    Returns:
        The rows; None where a transform makes the features, so that they are no columns.
    """
    if any(item.transform is not None for item in signature.inputs):
        return None
    random = np.random.default_rng(_SEED)
    columns: dict[str, pa.Array] = {}
    place = 0
    for item in signature.inputs:
        if isinstance(item, ScalarInput):
            for column in item.source_columns:
                values = _values(item, thresholds.get(place), random)
                mask = (random.random(NUM_ROWS) < _MISSING) & (column.nulls != "reject")
                columns[column.name] = pa.array(values, mask=mask)
                place += 1
        else:
            assert isinstance(item, ArrayInput)
            size = int(np.prod(item.item_shape))
            parts = [_values(item, thresholds.get(place + n), random) for n in range(size)]
            flat = pa.array(np.stack(parts, axis=1).reshape(-1))
            for length in reversed(item.item_shape):
                flat = pa.FixedSizeListArray.from_arrays(flat, length)
            columns[item.column] = flat
            place += size
    return pa.RecordBatch.from_pydict(columns)


def _values(item: Input, splits: Array | None, random: np.random.Generator) -> Any:
    if item.vocabulary is not None:
        return np.array(item.vocabulary, object)[random.integers(0, len(item.vocabulary), NUM_ROWS)]
    dtype = np.dtype(item.dtype)
    if splits is not None:
        splits = splits[np.abs(splits) < _HUGE]
    if splits is None or not len(splits):
        return random.integers(0, 2, NUM_ROWS).astype(dtype)
    between = (splits[1:] + splits[:-1]) / 2
    around = float(splits[-1] - splits[0]) / 2 or max(1.0, abs(float(splits[0])))
    choices = np.concatenate([[splits[0] - around], between, [splits[-1] + around]])
    values = random.choice(choices, NUM_ROWS)
    exact = random.random(NUM_ROWS) < _EXACT
    values[exact] = random.choice(splits, NUM_ROWS)[exact]
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        return np.clip(values, -most, most).astype(dtype)
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.clip(np.round(values), least, most).astype(dtype)
