"""Rows as people hold them, as Arrow columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from spark_infer.engine.kinds import check_column
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
        for column in columns:
            check_column(column, is_frame=is_frame)
        if is_frame:
            return pa.Table.from_pandas(own, preserve_index=False)
        return pa.RecordBatch.from_pydict(own)
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
