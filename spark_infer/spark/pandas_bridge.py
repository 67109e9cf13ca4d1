"""pandas in and out of Arrow without losing nulls, for Spark versions without Arrow functions.

Spark hands a pandas function NaN for both NaN and null. A flag column that the JVM computes says
which rows hold a null; only there does NaN count as null. Without a flag it always does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.bundle import ArrayInput, Input, RaggedInput
from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.types import is_list

PandasColumn: TypeAlias = "pd.Series[Any]"


def holds_null(items: Sequence[tuple[Input, Sequence[Column | str]]]) -> Column:
    """Return a boolean column: true where any of the inputs' columns holds a null at any depth.

    Scalar columns may be given as SQL text, which becomes one expression.
    """
    conditions = []
    texts = []
    for item, columns in items:
        depth = _depth(item)
        for column in columns:
            if isinstance(column, str):
                texts.append(f"({column}) IS NULL")
            else:
                conditions.append(_holds_null(column, depth))
    if texts:
        conditions.append(F.expr(" OR ".join(texts)))
    return reduce(or_, conditions)


def _depth(item: Input) -> int:
    if isinstance(item, ArrayInput):
        return len(item.item_shape)
    if isinstance(item, RaggedInput):
        return 1 + len(item.item_shape)
    return 0


def _holds_null(column: Column, depth: int) -> Column:
    if depth == 0:
        return column.isNull()
    inside = F.exists(column, lambda value: _holds_null(value, depth - 1))
    return column.isNull() | F.coalesce(inside, F.lit(True))


def from_pandas(
    columns: Sequence[PandasColumn], names: Sequence[str], has_null: PandasColumn | None
) -> pa.RecordBatch:
    """Build a record batch from the columns of a pandas function.

    Raises:
        SignatureError: A column is a timestamp, which pandas functions see in session time.
    """
    flags = None if has_null is None else has_null.to_numpy(dtype=np.bool_)
    arrays = [_array(c, name, flags) for c, name in zip(columns, names, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _array(column: PandasColumn, name: str, flags: np.ndarray[Any, Any] | None) -> pa.Array:
    if column.dtype.kind == "M":
        raise SignatureError(
            f"column {name!r}: pandas functions see timestamps in session time; pass "
            "unix_seconds(column), or use an Arrow function (Spark 4.1 or newer)"
        )
    if flags is None:
        return pa.array(column, from_pandas=True)
    plain = pa.array(column, from_pandas=False)
    if not flags.any():
        return plain
    nulled = pa.array(column, type=plain.type, from_pandas=True)
    rows = np.arange(len(column))
    return pa.concat_arrays([plain, nulled]).take(pa.array(np.where(flags, rows + len(rows), rows)))


def to_pandas(column: pa.Array) -> PandasColumn:
    """Return a pandas column that Spark reads back; null and NaN scalars stay apart."""
    if is_list(column.type):
        nested: PandasColumn = column.to_pandas()
        return nested
    return pd.Series(pd.arrays.ArrowExtensionArray(column))
