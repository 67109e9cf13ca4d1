"""Rows as people hold them, as Arrow columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from spark_infer.errors import SignatureError

if TYPE_CHECKING:
    import pandas as pd

TableLike: TypeAlias = "pa.RecordBatch | pa.Table | Mapping[str, object] | pd.DataFrame"
"""A record batch, a table, a mapping from column name to values, or a pandas frame."""


def as_table(rows: TableLike, *, where: str) -> pa.RecordBatch | pa.Table:
    """Return rows as a record batch or a table. NaN in a pandas frame is a null.

    Raises:
        SignatureError: They are something else, or their values do not make columns.
    """
    if isinstance(rows, pa.RecordBatch | pa.Table):
        return rows
    is_frame = hasattr(rows, "to_dict") and hasattr(rows, "columns")
    if not is_frame and not isinstance(rows, Mapping):
        raise SignatureError(
            f"{where} must be a record batch, a table, a dict of columns or a pandas frame, got "
            f"{type(rows).__name__}"
        )
    try:
        if is_frame:
            return pa.Table.from_pandas(rows, preserve_index=False)
        return pa.RecordBatch.from_pydict(dict(rows))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SignatureError(
            f"{where} cannot be read as columns of values, one list for each: {error}"
        ) from None
