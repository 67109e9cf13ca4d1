"""Rows of different lengths, kept flat until a batch is padded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle import RaggedInput
from spark_infer.bundle.inputs.tensor import Role
from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.leaves import (
    Array,
    Leaves,
    leaves,
    outside_reason,
    plain,
    side_by_side,
)
from spark_infer.tensors.arrow.lists import FlatList, Lengths, any_between, flatten, shaped
from spark_infer.tensors.buckets import EXACT, PadRule
from spark_infer.tensors.rejects import Rejects, reject_shapes
from spark_infer.tensors.rows import BoolArray, Rows


@dataclass(frozen=True)
class Ragged:
    """All rows of a ragged input.

    Attributes:
        values: Shape (positions, *inner), the rows' values, not necessarily without gaps.
        present: Same shape, true where a value was not null; None when all were.
        starts: Shape (rows,), position of each row's first value.
        lengths: Shape (rows,), number of values of each row after the overflow rule.
    """

    values: Array
    present: BoolArray | None
    starts: Lengths
    lengths: Lengths

    def tensors(self, item: RaggedInput, rows: Rows, pad: PadRule = EXACT) -> dict[str, Array]:
        """Return padded tensors of shape (rows, padded length, *inner) for some rows.

        Short rows end in ``item.pad_value``; the mask is true where a value is real.
        """
        starts, lengths = rows.take(self.starts), rows.take(self.lengths)
        longest = pad.padded(int(lengths.max(initial=0)), item)
        mask = np.arange(longest) < lengths[:, None]
        values = _padded(self.values, starts, mask, item.pad_value)
        made: dict[Role, Callable[[], Array]] = {
            "values": lambda: values,
            "mask": lambda: mask,
            "zeros": lambda: np.zeros_like(values),
            "present": lambda: self._present(starts, mask),
        }
        return {
            tensor.name: made[tensor.role]().astype(tensor.dtype, copy=False)
            for tensor in item.tensors
        }

    def _present(self, starts: Lengths, mask: BoolArray) -> BoolArray:
        if self.present is not None:
            return _padded(self.present, starts, mask, False)
        fill = mask.reshape(*mask.shape, *[1] * (self.values.ndim - 1))
        return np.broadcast_to(fill, (*mask.shape, *self.values.shape[1:])).copy()


def from_lists(column: pa.Array, item: RaggedInput, rejects: Rejects) -> Ragged:
    """Read a ragged array column and apply its overflow and null rules."""
    flat = flatten(column)
    if flat.valid is not None and item.nulls == "reject":
        rejects.add(~flat.valid, f"column {item.column!r} is null")
    starts, lengths = _cut(flat, item, rejects)
    part, wrong = _items(flat.values, item)
    if wrong is not None:
        reject_shapes(any_between(wrong, starts, lengths), column, item, rejects)
    values, valid = part.values, part.valid
    if part.outside is not None:
        rejects.add(_any(part.outside, starts, lengths), outside_reason(item.column, item))
    if valid is not None:
        values = _resolve_nulls(values, valid, starts, lengths, item, rejects)
    return Ragged(values, valid, starts, lengths)


def _cut(flat: FlatList, item: RaggedInput, rejects: Rejects) -> tuple[Lengths, Lengths]:
    starts, lengths = flat.starts, flat.lengths
    if item.min_length:
        too_short = lengths < item.min_length
        rejects.add(too_short, f"column {item.column!r} is shorter than {item.min_length}")
    if item.max_length is None or not (too_long := lengths > item.max_length).any():
        return starts, lengths
    if item.overflow == "error":
        raise SignatureError(
            f"column {item.column!r} (input {item.name!r}): a row holds {int(lengths.max())} "
            f"values, max_length is {item.max_length}; set overflow to 'keep_first', 'keep_last' "
            "or 'reject', or raise max_length"
        )
    if item.overflow == "reject":
        rejects.add(too_long, f"column {item.column!r} is longer than {item.max_length}")
    kept = np.minimum(lengths, item.max_length)
    return (starts + lengths - kept if item.overflow == "keep_last" else starts), kept


def _items(values: pa.Array, item: RaggedInput) -> tuple[Leaves, BoolArray | None]:
    """Return the positions' values as (positions, *inner), flags of the same shape.

    Beside them stands, shape (positions,), where there is no array of the inner shape, None when
    there is one everywhere.
    """
    if item.fields:
        return _struct_items(values, item), None
    if not item.shape:
        return leaves(values, item), None
    inner = shaped(values, item.shape)
    part = leaves(inner.values, item)

    def whole(flat: Array) -> Array:
        items = flat.reshape(-1, *item.shape)
        if inner.valid is None:
            return items
        spread = np.zeros((len(inner.valid), *item.shape), items.dtype)
        spread[inner.valid] = items
        return spread

    flags = [None if flag is None else whole(flag) for flag in (part.valid, part.outside)]
    return Leaves(whole(part.values), *flags), None if inner.valid is None else ~inner.valid


def _struct_items(values: pa.Array, item: RaggedInput) -> Leaves:
    values = plain(values)
    shape = (len(values), len(item.fields))
    if pat.is_null(values.type):
        return Leaves(np.zeros(shape, item.dtype), np.zeros(shape, np.bool_))
    names = [values.type.field(index).name for index in range(values.type.num_fields)]
    # flatten() combines each child's nulls and offset with the struct's own.
    children = values.flatten()
    parts = [leaves(children[names.index(field)], item) for field in item.fields]
    out = np.empty(shape, item.dtype)
    for index, part in enumerate(parts):
        out[:, index] = part.values
    return Leaves(
        out,
        side_by_side([part.valid for part in parts], shape, fill=True),
        side_by_side([part.outside for part in parts], shape, fill=False),
    )


def _resolve_nulls(
    values: Array,
    valid: BoolArray,
    starts: Lengths,
    lengths: Lengths,
    item: RaggedInput,
    rejects: Rejects,
) -> Array:
    values = values.copy()
    if item.null_items != "reject":
        values[~valid] = np.nan if item.null_items == "nan" else item.null_items
        return values
    values[~valid] = 0
    rejects.add(_any(~valid, starts, lengths), f"column {item.column!r} holds a null")
    return values


def _any(flags: BoolArray, starts: Lengths, lengths: Lengths) -> BoolArray:
    """Return for each row whether a flag of its positions is set."""
    positions: BoolArray = np.asarray(flags.any(axis=tuple(range(1, flags.ndim))))
    return any_between(positions, starts, lengths)


def _padded(
    values: Array, starts: Lengths, mask: BoolArray, pad_value: float | int | bool
) -> Array:
    """Gather rows as (rows, longest, *inner); where the mask is false stands the pad value."""
    shape = (*mask.shape, *values.shape[1:])
    if not len(values):
        return np.full(shape, pad_value, values.dtype)
    # Past a row's end this reads its neighbor, or the last value: cheaper than to look.
    positions = starts[:, None] + np.arange(mask.shape[1])
    padded = values.take(positions, axis=0, mode="clip")
    if not mask.all():
        padded[~mask] = pad_value
    return padded
