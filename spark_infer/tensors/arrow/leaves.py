"""Flat Arrow arrays to flat NumPy arrays, without a copy where the memory can serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_infer.bundle import Input

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]
Rows = slice | Positions

_UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MILLISECONDS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class Leaves:
    """Flat values and where they are real.

    Attributes:
        values: Shape (length,). What stands at a null is undefined.
        valid: Shape (length,), false at nulls; None when there are none.
    """

    values: Array
    valid: BoolArray | None


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return one array without chunks, dictionary or extension type."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    while True:
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        elif pat.is_dictionary(column.type):
            column = column.dictionary_decode()
        else:
            return column


def leaves(column: pa.Array, item: Input) -> Leaves:
    """Convert a flat array to the input's element type by the rules of ``tensors.arrow.types``."""
    column = plain(column)
    valid = _validity(column)
    if pat.is_null(column.type):
        return Leaves(np.zeros(len(column), item.dtype), np.zeros(len(column), np.bool_))
    if item.vocabulary is not None:
        return Leaves(_ids(column, item), valid)
    return Leaves(_numbers(column, np.dtype(item.dtype)), valid)


def _validity(column: pa.Array) -> BoolArray | None:
    if column.null_count == 0:
        return None
    valid: BoolArray = pc.is_valid(column).to_numpy(zero_copy_only=False)
    return valid


def _numbers(column: pa.Array, dtype: np.dtype[Any]) -> Array:
    kind = column.type
    if pat.is_boolean(kind):
        values = _memory(column.cast(pa.uint8()))
    elif pat.is_decimal(kind):
        values = _memory(column.cast(pa.float64()))
    elif pat.is_date32(kind):
        values = _memory(column.view(pa.int32()))
    elif pat.is_date64(kind):
        values = _memory(column.view(pa.int64())) // _MILLISECONDS_PER_DAY
    elif pat.is_timestamp(kind):
        ticks = _memory(column.view(pa.int64()))
        per_second = _UNITS_PER_SECOND[kind.unit]
        values = ticks / per_second if dtype.kind == "f" else ticks // per_second
    else:
        values = _memory(column)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype, copy=False)


def _memory(column: pa.Array) -> Array:
    """View the values buffer of a fixed-width array, whatever stands at the nulls."""
    dtype = np.dtype(column.type.to_pandas_dtype())
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros(len(column), dtype)
    return np.frombuffer(buffer, dtype, count=len(column), offset=column.offset * dtype.itemsize)


def _ids(column: pa.Array, item: Input) -> Array:
    words = pa.array(item.vocabulary)
    found = pc.index_in(column.cast(words.type), value_set=words).cast(pa.int64())
    ids: Array = pc.fill_null(found, item.unknown_id).to_numpy(zero_copy_only=False)
    return ids.astype(item.dtype)
