"""Partitions in SQL text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyspark.sql import DataFrame

from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.rows.keys import Partition


def in_partitions(rows: DataFrame, by: Sequence[str], partitions: Collection[Partition]) -> str:
    """Return the condition that a row stands in one of some partitions.

    The values are of their columns' types, so that files of other partitions are passed over.

    Args:
        rows: Of the table.
        by: Partition columns, as the rows spell them.
        partitions: One at least.
    """
    kinds = [rows.schema[name].dataType.simpleString() for name in by]

    def one(values: Partition) -> str:
        columns = zip(by, kinds, values, strict=True)
        return " AND ".join(
            f"{quoted(name)} <=> CAST({'NULL' if value is None else literal(value)} AS {kind})"
            for name, kind, value in columns
        )

    return " OR ".join(f"({one(values)})" for values in partitions)
