"""Rows of different lengths, kept flat until a batch is padded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle import RaggedInput
from spark_infer.errors import SignatureError
from spark_infer.tensors.dense import Rows
from spark_infer.tensors.leaves import Array, BoolArray, leaves, plain
from spark_infer.tensors.lists import FlatList, Lengths, flatten
from spark_infer.tensors.rejects import Rejects


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

    def tensors(self, item: RaggedInput, rows: Rows) -> dict[str, Array]:
        """Return padded tensors of shape (rows, longest, *inner) for some rows.

        ``longest`` is at least 1, so that a model never meets an empty dimension. Short rows
        end in ``item.pad_value``; the mask is true where a value is real.
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        longest = max(int(lengths.max(initial=1)), 1)
        mask = np.arange(longest) < lengths[:, None]
        positions = _positions(starts, lengths)
        tensors = {item.name: _pad(self.values[positions], mask, item.pad_value)}
        if item.mask:
            tensors[f"{item.name}_mask"] = mask
        if item.presence:
            present = mask if self.present is None else self.present[positions]
            if present is mask:
                shape = (*mask.shape, *self.values.shape[1:])
                fill = mask.reshape(*mask.shape, *[1] * (len(shape) - 2))
                tensors[f"{item.name}_present"] = np.broadcast_to(fill, shape).copy()
            else:
                tensors[f"{item.name}_present"] = _pad(present, mask, False)
        return tensors


def from_lists(column: pa.Array, item: RaggedInput, rejects: Rejects) -> Ragged:
    """Read a ragged array column and apply its overflow and null rules."""
    flat = flatten(column)
    if flat.valid is not None and item.nulls == "reject":
        rejects.add(~flat.valid, f"column {item.column!r} is null")
    starts, lengths = _cut(flat, item, rejects)
    values, valid = _items(flat.values, item)
    if valid is not None:
        values = _resolve_nulls(values, valid, starts, lengths, item, rejects)
    return Ragged(values, valid, starts, lengths)


def _cut(flat: FlatList, item: RaggedInput, rejects: Rejects) -> tuple[Lengths, Lengths]:
    starts, lengths = flat.starts, flat.lengths
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


def _items(values: pa.Array, item: RaggedInput) -> tuple[Array, BoolArray | None]:
    """Return the positions' values as (positions, *inner) and where they are not null."""
    if item.fields:
        return _struct_items(values, item)
    length = len(values)
    for size in item.shape:
        level = flatten(values)
        wrong = level.lengths != size if level.valid is None else None
        if wrong is None or wrong.any():
            got = "a null" if wrong is None else f"length {int(level.lengths[np.argmax(wrong)])}"
            raise SignatureError(
                f"column {item.column!r} (input {item.name!r}): expected inner arrays of shape "
                f"{list(item.shape)}, got {got} where {size} values belong"
            )
        values = level.values
    part = leaves(values, item)
    valid = None if part.valid is None else part.valid.reshape(length, *item.shape)
    return part.values.reshape(length, *item.shape), valid


def _struct_items(values: pa.Array, item: RaggedInput) -> tuple[Array, BoolArray | None]:
    values = plain(values)
    out = np.empty((len(values), len(item.fields)), item.dtype)
    valid: BoolArray | None = None
    if pat.is_null(values.type):
        return out, np.zeros(out.shape, np.bool_)
    names = [values.type.field(index).name for index in range(values.type.num_fields)]
    # flatten() combines each child's nulls and offset with the struct's own.
    children = values.flatten()
    for index, field in enumerate(item.fields):
        part = leaves(children[names.index(field)], item)
        out[:, index] = part.values
        if part.valid is not None:
            valid = np.ones(out.shape, np.bool_) if valid is None else valid
            valid[:, index] = part.valid
    return out, valid


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
    missing = ~valid.all(axis=tuple(range(1, valid.ndim)))
    before = np.concatenate(([0], np.cumsum(missing)))
    rejects.add(before[starts + lengths] > before[starts], f"column {item.column!r} holds a null")
    return values


def _positions(starts: Lengths, lengths: Lengths) -> slice | npt.NDArray[np.int64]:
    """Return where the rows' values lie, end to end: a slice when they adjoin."""
    if len(starts) == 0:
        return slice(0, 0)
    ends = starts + lengths
    if np.array_equal(ends[:-1], starts[1:]):
        return slice(int(starts[0]), int(ends[-1]))
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))


def _pad(values: Array, mask: BoolArray, pad_value: float | int | bool) -> Array:
    padded = np.full((*mask.shape, *values.shape[1:]), pad_value, values.dtype)
    padded[mask] = values
    return padded
