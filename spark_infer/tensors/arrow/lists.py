"""Arrow lists to flat values and row lengths: offsets, slices, nulls and fixed sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_infer.tensors.arrow.dictionaries import decoded
from spark_infer.tensors.arrow.leaves import plain
from spark_infer.tensors.rows import BoolArray

Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FlatList:
    """One nesting level taken off a list array.

    Attributes:
        values: The lists' elements, end to end; null lists contribute none.
        lengths: Shape (rows,): number of elements of each list, 0 for a null list.
        valid: Shape (rows,), false where the list is null; None when none is.
    """

    values: pa.Array
    lengths: Lengths
    valid: BoolArray | None

    @property
    def starts(self) -> Lengths:
        """Shape (rows,): position of each list's first element in ``values``."""
        starts = np.empty(len(self.lengths), np.int64)
        if len(starts):
            starts[0] = 0
            np.cumsum(self.lengths[:-1], out=starts[1:])
        return starts

    def any(self, flags: BoolArray) -> BoolArray:
        """Return for each list whether a flag of its elements is set."""
        return any_between(flags, self.starts, self.lengths)


def any_between(flags: BoolArray, starts: Lengths, lengths: Lengths) -> BoolArray:
    """Return for each stretch of positions whether a flag in it is set."""
    before = np.concatenate(([0], np.cumsum(flags)))
    found: BoolArray = before[starts + lengths] > before[starts]
    return found


@dataclass(frozen=True)
class Shaped:
    """All nesting levels taken off an array of lists of one shape.

    Attributes:
        values: The innermost elements, end to end, of the lists that have the shape.
        valid: Shape (rows,), true where a list contributes its values; None when all do.
        wrong: Shape (rows,), true where a list is of another shape, or holds a null list; None
            when none is. Where a list is itself null, it is neither valid nor wrong.
    """

    values: pa.Array
    valid: BoolArray | None
    wrong: BoolArray | None


def shaped(column: pa.Array, shape: Sequence[int]) -> Shaped:
    """Take off as many levels as the shape, which has one at least, and cut out what differs."""
    column = plain(column)
    outer = flatten(column)
    values = outer.values
    fits = outer.lengths == shape[0]
    if outer.valid is not None:
        fits |= ~outer.valid
    all_fit = bool(fits.all())
    for size in shape[1:]:
        level = flatten(values)
        all_fit = all_fit and bool((level.lengths == size).all())
        values = level.values
    if all_fit:
        return Shaped(values, outer.valid, None)
    wrong = _other_shape(column, shape)
    valid = ~wrong
    if outer.valid is not None:
        wrong, valid = wrong & outer.valid, valid & outer.valid
    whole = decoded(column).filter(pa.array(valid))
    return Shaped(shaped(whole, shape).values, valid, wrong)


def _other_shape(column: pa.Array, shape: Sequence[int]) -> BoolArray:
    """Return for each list whether it, or a list inside, is null or of another length."""
    flat = flatten(column)
    wrong: BoolArray = flat.lengths != shape[0]
    return wrong | flat.any(_other_shape(flat.values, shape[1:])) if shape[1:] else wrong


def as_lists(lengths: Lengths, values: pa.Array, valid: BoolArray | None) -> pa.Array:
    """Put values that lie end to end into lists again: what ``flatten`` takes off."""
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    fits = offsets[-1] <= np.iinfo(np.int32).max
    kind, index = (pa.ListArray, pa.int32()) if fits else (pa.LargeListArray, pa.int64())
    mask = None if valid is None else pa.array(~valid)
    return kind.from_arrays(pa.array(offsets, index), values, mask=mask)


def flatten(column: pa.Array) -> FlatList:
    """Take one nesting level off a list, large list or fixed-size list array."""
    column = plain(column)
    valid: BoolArray | None = None
    if column.null_count:
        valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    if pat.is_null(column.type):
        return FlatList(pa.nulls(0), np.zeros(len(column), np.int64), valid)
    if pat.is_fixed_size_list(column.type):
        lengths = np.full(len(column), column.type.list_size, np.int64)
    else:
        lengths = np.diff(column.offsets.to_numpy().astype(np.int64, copy=False))
    if valid is not None:
        lengths = np.where(valid, lengths, 0)
    return FlatList(plain(column.flatten()), lengths, valid)
