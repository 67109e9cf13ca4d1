"""Rows of some partitions, by a condition that whoever reads them can pass over others with."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyspark.sql import DataFrame

from spark_infer.spark.wire import by_name
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.rows.keys import Partition

MAX_NAMED = 500
"""Partitions that a query may name."""


def nameable(partitions: Collection[Partition]) -> frozenset[Partition] | None:
    """Return partitions where a query may name all of them, else None."""
    return frozenset(partitions) if len(partitions) <= MAX_NAMED else None


def among(rows: DataFrame, by: Sequence[str], partitions: Collection[Partition]) -> DataFrame:
    """Return the rows in some partitions, ``MAX_NAMED`` at most; see ``in_partitions``."""
    assert len(partitions) <= MAX_NAMED
    return rows.where(in_partitions(rows, by, partitions))


def in_partitions(rows: DataFrame, by: Sequence[str], partitions: Collection[Partition]) -> str:
    """Return the condition that a row stands in one of some partitions.

    It is text, as Spark takes it in one go, where a tree of columns takes a call for each node.
    The values are of their columns' types, so that files of other partitions are passed over.

    Args:
        rows: The rows.
        by: Their partition columns, as they spell them.
        partitions: The partitions.
    """
    if not partitions:
        return "false"
    kinds = [rows.schema[name].dataType.simpleString() for name in by]
    columns = [*map(by_name, by)]
    if len(by) == 1:
        return _is_one_of(columns[0], kinds[0], [value for (value,) in sorted(partitions, key=str)])

    def one(values: Partition) -> str:
        parts = zip(columns, kinds, values, strict=True)
        return " AND ".join(f"{name} <=> {_typed(value, kind)}" for name, kind, value in parts)

    return " OR ".join(f"({one(values)})" for values in sorted(partitions, key=str))


def _is_one_of(column: str, kind: str, values: Collection[str | None]) -> str:
    """Return it of one column, which Spark then looks up and does not compare one by one."""
    given = ", ".join(_typed(value, kind) for value in values if value is not None)
    conditions = [f"({column} IS NOT NULL AND {column} IN ({given}))"] if given else []
    if None in values:
        conditions.append(f"{column} IS NULL")
    return " OR ".join(conditions)


def _typed(value: str | None, kind: str) -> str:
    return f"CAST({'NULL' if value is None else literal(value)} AS {kind})"
