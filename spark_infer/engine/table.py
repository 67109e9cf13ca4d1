"""Rows as people hold them, as Arrow columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
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
        SignatureError: They are something else, or their values do not make columns.
    """
    if isinstance(rows, pa.RecordBatch | pa.Table):
        return rows
    if not is_table(rows):
        raise SignatureError(
            f"{where} must be a record batch, a table, a dict of columns or a pandas frame, got "
            f"{type(rows).__name__}"
        )
    try:
        columns = [column for _, column in rows.items()]
        for column in columns:
            if isinstance(column, str | bytes | Mapping | Set):
                raise TypeError(f"got a {type(column).__name__} for a column")
        _check_depth(columns)
        if isinstance(rows, Mapping):
            # Whoever holds an array may fill it again before the rows are predicted.
            own = {name: _own(column) for name, column in rows.items()}
            return pa.RecordBatch.from_pydict(own)
        return pa.Table.from_pandas(rows.copy(), preserve_index=False)
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


def _check_depth(values: Iterable[object]) -> None:
    for _ in range(_MAX_DEPTH + 1):
        # What is referred to twice is looked at once: lists of the same lists end too.
        level = {id(value): value for value in values if _holds_values(value)}
        if not level:
            return
        values = [inner for value in level.values() for inner in _values(value)]
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
    return column.copy() if isinstance(column, np.ndarray) else column
