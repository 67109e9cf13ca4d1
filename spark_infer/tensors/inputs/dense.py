"""Rows of one fixed shape: scalar columns, packed columns and fixed-size arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from spark_infer.bundle import ArrayInput, Input, ScalarInput
from spark_infer.bundle.columns import NullRule
from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.leaves import (
    Array,
    leaves,
    outside_reason,
    side_by_side,
)
from spark_infer.tensors.arrow.lists import flatten, shaped
from spark_infer.tensors.buckets import EXACT, PadRule
from spark_infer.tensors.rejects import Rejects, reject_shapes
from spark_infer.tensors.rows import BoolArray, Rows


@dataclass(frozen=True)
class Dense:
    """All rows of an input whose rows have one shape.

    Attributes:
        values: Shape (rows, *shape).
        present: Same shape, true where the value was not null; None when all were.
    """

    values: Array
    present: BoolArray | None
    lengths: ClassVar[None] = None
    """Rows of one shape have none."""

    def tensors(self, item: Input, rows: Rows, pad: PadRule = EXACT) -> dict[str, Array]:
        """Return the model's tensors for some rows; of a run they are views, not copies.

        Nothing is padded.
        """
        values = rows.take(self.values)
        tensors = {item.tensor_name: values}
        if item.presence:
            present = (
                np.ones(values.shape, np.bool_) if self.present is None else rows.take(self.present)
            )
            tensors[item.tensor_names[-1]] = present
        return tensors


def from_columns(columns: Sequence[pa.Array], item: ScalarInput, rejects: Rejects) -> Dense:
    """Pack scalar columns side by side into (rows, columns)."""
    parts = [leaves(column, item) for column in columns]
    if len(parts) == 1:
        values = parts[0].values[:, None]
    else:
        values = np.empty((len(parts[0].values), len(parts)), item.dtype)
        for index, part in enumerate(parts):
            values[:, index] = part.values
    valid = side_by_side([part.valid for part in parts], values.shape, fill=True)
    outside = side_by_side([part.outside for part in parts], values.shape, fill=False)
    return _fill_columns(values, valid, outside, item, rejects)


def from_packed(column: pa.Array, item: ScalarInput, rejects: Rejects) -> Dense:
    """Read scalar columns that were packed into one list column of ``len(columns)`` items."""
    width = len(item.columns)
    flat = flatten(column)
    wrong = flat.lengths != width
    if wrong.any():
        raise SignatureError(
            f"input {item.name!r}: the packed column holds {int(flat.lengths[np.argmax(wrong)])} "
            f"values in a row of {width} columns"
        )
    part = leaves(flat.values, item)
    shape = (len(flat.lengths), width)
    valid, outside = _shaped(part.valid, shape), _shaped(part.outside, shape)
    return _fill_columns(part.values.reshape(shape), valid, outside, item, rejects)


def from_arrays(column: pa.Array, item: ArrayInput, rejects: Rejects) -> Dense:
    """Read a fixed-size (nested) array column as (rows, *shape)."""
    rows = shaped(column, item.shape)
    if rows.wrong is not None:
        reject_shapes(rows.wrong, column, item, rejects)
    part = leaves(rows.values, item)
    values = part.values.reshape(-1, *item.shape)
    valid, outside = _shaped(part.valid, values.shape), _shaped(part.outside, values.shape)
    if outside is not None:
        found = np.ones(len(column), np.bool_) if rows.valid is None else rows.valid.copy()
        found[found] = outside.any(axis=tuple(range(1, outside.ndim)))
        rejects.add(found, outside_reason(item.column, item))
    if rows.valid is not None:
        values, valid = _spread(values, valid, rows.valid)
        # What has another shape is rejected by now, so that its values do not matter.
        nulls = np.broadcast_to(~rows.valid.reshape(-1, *[1] * len(item.shape)), values.shape)
        values = _apply(values, nulls, item.nulls, rejects, f"column {item.column!r} is null")
    if valid is None:
        return Dense(values, None)
    missing = ~valid
    if rows.valid is not None:
        missing = missing & rows.valid.reshape(-1, *[1] * len(item.shape))
    reason = f"column {item.column!r} holds a null"
    return Dense(_apply(values, missing, item.null_items, rejects, reason), valid)


def _shaped(flags: BoolArray | None, shape: tuple[int, ...]) -> BoolArray | None:
    return None if flags is None else flags.reshape(shape)


def _fill_columns(
    values: Array,
    valid: BoolArray | None,
    outside: BoolArray | None,
    item: ScalarInput,
    rejects: Rejects,
) -> Dense:
    """Reject or fill rows column by column, so that the first column's reason is kept."""
    if valid is not None:
        values = values.copy()
    for index, column in enumerate(item.source_columns):
        if outside is not None:
            rejects.add(outside[:, index], outside_reason(column.name, item))
        if valid is not None and not valid[:, index].all():
            nulls, reason = ~valid[:, index], f"column {column.name!r} is null"
            values[:, index] = _apply(values[:, index], nulls, column.nulls, rejects, reason)
    return Dense(values, valid)


def _apply(values: Array, nulls: BoolArray, rule: NullRule, rejects: Rejects, reason: str) -> Array:
    """Return a copy with the null rule applied where ``nulls`` is true."""
    filled = values.copy()
    if rule == "reject":
        rows: BoolArray = np.asarray(nulls.any(axis=tuple(range(1, nulls.ndim))))
        rejects.add(rows, reason)
        filled[nulls] = 0
    else:
        filled[nulls] = np.nan if rule == "nan" else rule
    return filled


def _spread(
    values: Array, valid: BoolArray | None, row_valid: BoolArray
) -> tuple[Array, BoolArray]:
    """Put the rows that exist where they belong among null rows."""
    spread = np.zeros((len(row_valid), *values.shape[1:]), values.dtype)
    spread[row_valid] = values
    present = np.zeros(spread.shape, np.bool_)
    present[row_valid] = True if valid is None else valid
    return spread, present
