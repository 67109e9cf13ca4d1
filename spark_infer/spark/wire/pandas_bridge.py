"""pandas in and out of Arrow without losing nulls, for Spark versions without Arrow functions.

Spark hands a pandas function NaN for both NaN and null. A mask that the JVM computes says where
the nulls are (``spark.wire.nulls``). Without one, NaN counts as null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from pyspark.sql import Row

from spark_infer.bundle import Signature
from spark_infer.bundle.columns import INTEGER_DTYPES
from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.types import is_list

_MAX_EXACT = 2.0**53
"""From here on floats pass over integers."""
_MAX_INTEGER = 2.0**63
_BEYOND_FLOAT32 = 2**29 - 1
_HALF_FLOAT32 = 2**28

PandasColumn: TypeAlias = "pd.Series[Any]"


def from_pandas(
    columns: Sequence[PandasColumn], names: Sequence[str], masks: Mapping[int, PandasColumn]
) -> pa.RecordBatch:
    """Build a record batch from the columns of a pandas function.

    Args:
        columns: The columns.
        names: Their names.
        masks: Where the nulls are, by the column's position: for each row None, or booleans
            in lists as the row's values are, or a text of 0 and 1.

    Raises:
        SignatureError: A column holds timestamps, which pandas functions see in session time, or
            what no tensor is made of.
    """
    arrays = []
    for index, (column, name) in enumerate(zip(columns, names, strict=True)):
        if index in masks:
            values = pa.array(column, from_pandas=False)
            array = _with_nulls(values, _lists(pa.array(masks[index], from_pandas=True)))
        else:
            array = _array(column, name)
        if _holds_timestamps(array.type):
            raise SignatureError(
                f"column {name!r}: pandas functions see timestamps in session time; pass "
                "unix_seconds(column), or use an Arrow function (Spark 4.1 or newer)"
            )
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _array(column: PandasColumn, name: str) -> pa.Array:
    """Return a column without a mask as Arrow has it."""
    try:
        if isinstance(column, pd.DataFrame):  # A struct for each row.
            return pa.RecordBatch.from_pandas(column, preserve_index=False).to_struct_array()
        return pa.array(_with_structs(column), from_pandas=True)
    except pa.ArrowException as error:
        said = " ".join(str(error).split())[:200]
        raise SignatureError(
            f"column {name!r} holds what no tensor is made of ({said}); pass columns of numbers, "
            "dates or strings, or arrays of them"
        ) from None


def as_declared(columns: Mapping[str, pa.Array], signature: Signature) -> dict[str, pa.Array]:
    """Return columns with the integers that pandas made floats of: those beside a null.

    A float64 is the nearest to the integer that it was, and a float16 that of a float64. A float32
    would be rounded twice: to another one where the first time ends half way between two.

    Raises:
        SignatureError: They are too large for a float to tell them apart, or may have been rounded
            to the middle between two of float32.
    """
    found = dict(columns)
    for item in signature.inputs:
        of_words = item.takes in ("string", "binary")
        for name in item.column_names:
            if name not in found or of_words:
                continue
            if item.dtype in INTEGER_DTYPES:
                found[name] = _as_integers(found[name], name)
            elif item.dtype == "float32" and item.takes is None:
                _check_rounded_once(found[name], name)
    return found


def _check_rounded_once(column: pa.Array, name: str) -> None:
    for floats in _floats(column, beside_null=True):
        sizes = np.abs(floats)
        sizes = sizes[(sizes >= _MAX_EXACT) & (sizes <= _MAX_INTEGER)]
        # Bits of a float64's fraction that a float32 has no room for: the first alone is a half.
        if (sizes.view(np.int64) & _BEYOND_FLOAT32 == _HALF_FLOAT32).any():
            raise SignatureError(
                f"column {name!r} holds a number of 2^53 or more half way between two of float32, "
                "and pandas functions see integers beside a null as floats, which may have been "
                "rounded to it; pass CAST(column AS FLOAT), or use an Arrow function (Spark 4.1 "
                "or newer) or predict"
            )


def _as_integers(column: pa.Array, name: str) -> pa.Array:
    kind = _integer_type(column.type)
    if kind == column.type:
        return column
    # In a batch without a null the same number comes as it is, and would get another answer.
    if any((np.abs(floats) >= _MAX_EXACT).any() for floats in _floats(column)):
        raise SignatureError(
            f"column {name!r} holds integers of 2^53 and more, and pandas functions see those "
            "beside a null as floats, which do not tell them apart; pass coalesce(column, 0), or "
            "use an Arrow function (Spark 4.1 or newer) or predict"
        )
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return column  # They are no integers.


def _floats(column: pa.Array, *, beside_null: bool = False) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the finite floats at all depths of a column, or only those that have nulls or NaN."""
    if pat.is_float64(column.type):
        values = column.drop_null().to_numpy(zero_copy_only=False)
        finite = values[np.isfinite(values)]
        if not beside_null or column.null_count or np.isnan(values).any():
            yield finite
    elif pat.is_struct(column.type):
        for field in column.flatten():
            yield from _floats(field, beside_null=beside_null)
    elif pat.is_list(column.type):
        yield from _floats(column.flatten(), beside_null=beside_null)


def _integer_type(kind: pa.DataType) -> pa.DataType:
    if pat.is_float64(kind):
        return pa.int64()
    if pat.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        return pa.struct([pa.field(field.name, _integer_type(field.type)) for field in fields])
    return pa.list_(_integer_type(kind.value_type)) if pat.is_list(kind) else kind


def _with_structs(column: PandasColumn) -> Any:
    """Return arrays of structs as Arrow reads them, and other columns as they are.

    Spark hands pandas a dict or a row of its own for each struct, in arrays of objects, and for an
    array without any an array of floats.
    """
    first = next((value for value in column if value is not None), None)
    if not isinstance(first, np.ndarray):
        return column
    items = (item for value in column if value is not None for item in value)
    item = next((item for item in items if item is not None), None)
    if item is not None and not isinstance(item, dict | Row):
        return column
    return [None if value is None else list(map(_struct, value)) for value in column]


def _struct(item: Any) -> Any:
    return item.asDict() if isinstance(item, Row) else item


def _holds_timestamps(kind: pa.DataType) -> bool:
    if pat.is_struct(kind):
        return any(_holds_timestamps(kind.field(i).type) for i in range(kind.num_fields))
    if is_list(kind):
        return _holds_timestamps(kind.value_type)
    return bool(pat.is_timestamp(kind))


def _lists(masks: pa.Array) -> pa.Array:
    """Return masks that may be texts as lists of booleans."""
    if not pat.is_string(masks.type):
        return masks
    lengths = pc.fill_null(pc.binary_length(masks), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    marks = "".join(masks.drop_null().to_pylist()).encode()
    values = pa.array(np.frombuffer(marks, np.uint8) == ord("1"))
    return pa.ListArray.from_arrays(offsets, values, mask=masks.is_null())


def _with_nulls(values: pa.Array, masks: pa.Array) -> pa.Array:
    """Put nulls where the masks, lists as deep as the values, say so."""
    if masks.null_count == len(masks):
        return values
    rows = np.flatnonzero(masks.is_valid().to_numpy(zero_copy_only=False))
    nulled = _nulled(values.take(pa.array(rows)), masks.take(pa.array(rows)))
    order = np.arange(len(values))
    order[rows] = len(values) + np.arange(len(rows))
    return pa.concat_arrays([values, nulled]).take(pa.array(order))


def _nulled(values: pa.Array, masks: pa.Array) -> pa.Array:
    if not is_list(values.type):
        return pc.if_else(masks, pa.scalar(None, values.type), values)
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
    inner = _nulled(values.flatten(), masks.flatten())
    return pa.ListArray.from_arrays(offsets, inner, values.type, mask=values.is_null())


def to_pandas(column: pa.Array) -> PandasColumn:
    """Return a pandas column that Spark reads back; null and NaN stay apart."""
    if not is_list(column.type):
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    nested: PandasColumn = column.to_pandas()
    return nested.map(_with_nan, na_action="ignore")


def _with_nan(values: Any) -> Any:
    """Make NaN among doubles survive: NumPy's doubles are floats, of which NaN counts as null."""
    if not isinstance(values, np.ndarray):
        return values
    if values.dtype == np.object_:
        return [_with_nan(inner) for inner in values]
    if values.dtype == np.float64 and np.isnan(values).any():
        return values.astype(np.longdouble)
    return values
