"""Rows of some partitions, by a condition that whoever reads them can pass over others with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from spark_infer.spark.wire import quoted
from spark_infer.warehouse.rows.keys import Partition

MAX_NAMED = 500
"""Partitions that a query may name."""


def among(rows: DataFrame, by: Sequence[str], partitions: Collection[Partition]) -> DataFrame:
    """Return the rows in some partitions; arguments are those of ``is_among``."""
    return rows.where(is_among(rows, by, partitions))


def is_among(rows: DataFrame, by: Sequence[str], partitions: Collection[Partition]) -> Column:
    """Return whether a row is in some partitions.

    Args:
        rows: The rows.
        by: The partition columns, as the rows spell them.
        partitions: The partitions, ``MAX_NAMED`` at most.
    """
    assert len(partitions) <= MAX_NAMED
    # Of the columns' own types, so that whoever reads them can pass over other partitions.
    types = [rows.schema[name].dataType for name in by]
    if len(by) == 1:
        return _is_one_of(by[0], types[0], [value for (value,) in partitions])
    within = (_is_in(by, types, values) for values in sorted(partitions, key=str))
    return reduce(or_, within, F.lit(False))


def _is_one_of(name: str, kind: DataType, values: Sequence[str | None]) -> Column:
    """Return it of one column, which Spark then looks up and does not compare one by one."""
    column = F.col(quoted(name))
    given = [F.lit(value).cast(kind) for value in values if value is not None]
    is_given = column.isNotNull() & column.isin(*given) if given else F.lit(False)
    return is_given | column.isNull() if None in values else is_given


def _is_in(by: Sequence[str], types: Sequence[DataType], values: Partition) -> Column:
    columns = zip(by, types, values, strict=True)
    return reduce(
        and_, (F.col(quoted(name)).eqNullSafe(F.lit(v).cast(kind)) for name, kind, v in columns)
    )
