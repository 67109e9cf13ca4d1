"""Flat Arrow arrays to flat NumPy arrays, without a copy where the memory can serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_infer.bundle import Input
from spark_infer.tensors.arrow import quotients
from spark_infer.tensors.arrow.casts import Rule, kind_of, rule_of
from spark_infer.tensors.arrow.dictionaries import decoded, is_coded
from spark_infer.tensors.arrow.types import is_bool8
from spark_infer.tensors.rows import BoolArray

Array = npt.NDArray[Any]

_POWERS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""A timestamp's units in a second, as a power of ten."""
_MILLISECONDS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class Leaves:
    """Flat values and where they are real.

    Attributes:
        values: Shape (length,). What stands at a null is undefined.
        valid: Shape (length,), false at nulls; None when there are none.
        outside: Shape (length,), true where the tensor's type does not hold the value; None when
            it holds them all.
    """

    values: Array
    valid: BoolArray | None
    outside: BoolArray | None = None


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return one array without chunks, dictionary, extension type or view."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks > 1:
            # Those of the chunks may have more words together than their type can count.
            column = decoded(column)
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    while True:
        if isinstance(column, pa.ExtensionArray):
            storage = column.storage
            column = storage.cast(pa.bool_()) if is_bool8(column.type) else storage
        elif is_coded(column.type):
            column = decoded(column)
        else:
            return column


def leaves(column: pa.Array, item: Input) -> Leaves:
    """Convert a flat array to the input's element type by the rules of ``tensors.arrow.casts``."""
    column = plain(column)
    rule = rule_of(kind_of(column.type), item)
    assert rule is not None, f"{column.type} was not checked"
    valid = _validity(column)
    if rule is Rule.NULL:
        return Leaves(np.zeros(len(column), item.dtype), np.zeros(len(column), np.bool_))
    if rule is Rule.WORD:
        return Leaves(_ids(column, item), valid)
    dtype = np.dtype(item.dtype)
    if rule is Rule.IN_RANGE:
        return _in_range(_memory(column), dtype, valid)
    return Leaves(_numbers(column, rule, dtype), valid)


def outside_reason(column: str, item: Input) -> str:
    """Say why a row is rejected whose value the tensor's type does not hold."""
    info = np.iinfo(item.dtype)
    return f"column {column!r} holds a value outside {info.min}..{info.max}"


def side_by_side(
    parts: Sequence[BoolArray | None], shape: tuple[int, ...], *, fill: bool
) -> BoolArray | None:
    """Join flags of columns to (rows, columns); where a column has none stands ``fill``."""
    if all(part is None for part in parts):
        return None
    joined = np.full(shape, fill, np.bool_)
    for index, part in enumerate(parts):
        if part is not None:
            joined[:, index] = part
    return joined


def _validity(column: pa.Array) -> BoolArray | None:
    if column.null_count == 0:
        return None
    valid: BoolArray = pc.is_valid(column).to_numpy(zero_copy_only=False)
    return valid


def _numbers(column: pa.Array, rule: Rule, dtype: np.dtype[Any]) -> Array:
    if rule is Rule.DECIMAL:
        return quotients.decimals(column, dtype)
    if rule in (Rule.SECONDS, Rule.WHOLE_SECONDS):
        ticks = _memory(column.view(pa.int64()))
        power = _POWERS[column.type.unit]
        if rule is Rule.SECONDS:
            return quotients.seconds(ticks, power, dtype)
        values = ticks // 10**power
    elif rule is Rule.DAYS and pat.is_date64(column.type):
        values = _memory(column.view(pa.int64())) // _MILLISECONDS_PER_DAY
    elif rule is Rule.DAYS:
        values = _memory(column.view(pa.int32()))
    elif pat.is_boolean(column.type):
        values = _memory(column.cast(pa.uint8()))
    else:
        values = _memory(column)
    numbers: Array
    with np.errstate(all="ignore"):
        numbers = values.astype(dtype, copy=False)
    return numbers


def _in_range(values: Array, dtype: np.dtype[Any], valid: BoolArray | None) -> Leaves:
    """Convert integers that the type may not hold; 0 stands where it does not."""
    info = np.iinfo(dtype)
    outside: BoolArray = values > info.max
    if values.dtype.kind == "i":
        outside |= values < info.min
    if valid is not None:
        outside &= valid
    if not outside.any():
        return Leaves(values.astype(dtype), valid)
    return Leaves(np.where(outside, 0, values).astype(dtype), valid, outside)


def _memory(column: pa.Array) -> Array:
    """View the values buffer of a fixed-width array, whatever stands at the nulls."""
    dtype = np.dtype(column.type.to_pandas_dtype())
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros(len(column), dtype)
    return np.frombuffer(buffer, dtype, count=len(column), offset=column.offset * dtype.itemsize)


def _ids(column: pa.Array, item: Input) -> Array:
    if item.takes == "bigint":
        column = column.cast(pa.int64())
    words = pa.array(item.vocabulary, column.type)
    found = pc.index_in(column, value_set=words).cast(pa.int64())
    ids: Array = pc.fill_null(found, item.unknown_id).to_numpy(zero_copy_only=False)
    return ids.astype(item.dtype)
