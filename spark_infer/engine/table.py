"""Rows as people hold them, as Arrow columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from spark_infer.errors import SignatureError

if TYPE_CHECKING:
    import pandas as pd

TableLike: TypeAlias = "pa.RecordBatch | pa.Table | Mapping[str, object] | pd.DataFrame"
"""A record batch, a table, a mapping from column name to values, or a pandas frame."""

_MAX_DEPTH = 32
"""Most levels of lists in a value: pyarrow overflows the stack of a list that holds itself."""


def as_table(rows: TableLike, *, where: str) -> pa.RecordBatch | pa.Table:
    """Return rows as a record batch or a table. NaN in a pandas frame is a null.

    Raises:
        SignatureError: They are something else, or their values do not make columns without being
            changed.
    """
    if isinstance(rows, pa.RecordBatch | pa.Table):
        return rows
    if not is_table(rows):
        raise SignatureError(
            f"{where} must be a record batch, a table, a dict of columns or a pandas frame, got "
            f"{type(rows).__name__}"
        )
    try:
        # Whoever holds an array may fill it again before the rows are predicted.
        own: Any = (
            {name: _own(column) for name, column in rows.items()}
            if isinstance(rows, Mapping)
            else rows.copy()
        )
        is_frame = not isinstance(rows, Mapping)
        columns = [column for _, column in own.items()]
        for column in columns:
            if isinstance(column, str | bytes | Mapping | Set):
                raise TypeError(f"got a {type(column).__name__} for a column")
        _check_nested(columns)
        table: pa.RecordBatch | pa.Table = (
            pa.Table.from_pandas(own, preserve_index=False)
            if is_frame
            else pa.RecordBatch.from_pydict(own)
        )
        for column, field in zip(columns, table.schema, strict=True):
            if _is_of_objects(column):
                _check_dates(column, field.type, is_frame=is_frame)
        return table
    except Exception as error:
        # pyarrow, pandas and the values' own code raise what they like.
        reason = "an integer needs more than 64 bits" if isinstance(error, OverflowError) else error
        raise SignatureError(
            f"{where} cannot be read as columns of values, one list for each: {reason}"
        ) from None


def is_table(rows: object) -> bool:
    """Tell whether these are rows as people hold them."""
    is_frame = hasattr(rows, "to_dict") and hasattr(rows, "columns")
    return is_frame or isinstance(rows, Mapping | pa.RecordBatch | pa.Table)


def _check_nested(values: Iterable[object]) -> None:
    """Raise where values are nested too deeply, or pyarrow would take what is masked in them."""
    for _ in range(_MAX_DEPTH + 1):
        # What is referred to twice is looked at once: lists of the same lists end too.
        level = {id(value): value for value in values if _holds_values(value)}
        if not level:
            return
        values = [inner for value in level.values() for inner in _values(value)]
        if any(isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value) for value in values):
            raise TypeError(
                "a list holds a masked NumPy array, whose mask would be lost; give lists with None"
            )
    raise ValueError(f"a value is nested deeper than {_MAX_DEPTH} levels, or holds itself")


def _holds_values(value: object) -> bool:
    is_list = isinstance(value, list | tuple | set | frozenset | Mapping)
    return is_list or getattr(getattr(value, "dtype", None), "hasobject", False)


def _values(value: Any) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    values: Iterable[object] = value.tolist() if hasattr(value, "dtype") else value
    return values


def _own(column: object) -> object:
    if isinstance(column, Iterator):
        return list(column)
    return column.copy() if isinstance(column, np.ndarray) else column


def _is_of_objects(column: object) -> bool:
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return False
    return not isinstance(column, np.ndarray) or column.dtype.hasobject


def _holds_dates(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_dates(kind.value_type)
    fields = (kind.field(number) for number in range(kind.num_fields))
    return bool(pa.types.is_date32(kind)) or any(_holds_dates(field.type) for field in fields)


def _check_dates(values: Iterable[Any], kind: pa.DataType, *, is_frame: bool) -> None:
    """Raise where a date made dates of what follows it, and cut the time of day off."""
    if not _holds_dates(kind):
        return
    if pa.types.is_struct(kind):
        for field in kind:
            inner = [value[field.name] for value in values if field.name in _fields(value)]
            _check_dates(inner, field.type, is_frame=is_frame)
    elif kind.num_fields:
        lists = (value for value in values if isinstance(value, Iterable))
        _check_dates(chain.from_iterable(lists), kind.field(0).type, is_frame=is_frame)
    else:
        for value in values:
            # NaT is no time, of which pandas makes a null.
            is_null = is_frame and value != value
            if isinstance(value, dt.datetime) and not is_null:
                raise TypeError(
                    f"{value} stands beside a date, and its time would be cut off; give all of "
                    "them as datetimes, or all as dates (None for those that are missing)"
                )


def _fields(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
