"""Arrow lists to flat values and row lengths: offsets, slices, nulls and fixed sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_infer.tensors.arrow.leaves import BoolArray, plain

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
