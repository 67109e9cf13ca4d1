"""Key columns: never null, never repeated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from spark_infer.errors import WarehouseError
from spark_infer.spark.wire import quoted

_MAX_EXAMPLES = 3


def check_keys(df: DataFrame, key: Sequence[str]) -> int:
    """Count the rows, and prove that the key identifies each.

    Returns:
        Number of rows.

    Raises:
        WarehouseError: A key is null or stands in several rows; the message shows some.
    """
    columns = [F.col(quoted(name)) for name in key]
    groups = df.groupBy(*columns).agg(F.count(F.lit(1)).alias("__rows"))
    is_null = reduce(or_, (column.isNull() for column in columns))
    # As text: a timestamp that is collected would be shown in the zone of this machine.
    texts = [column.cast("string").alias(name) for column, name in zip(columns, key, strict=True)]
    bad = is_null | (F.col("__rows") > 1)
    found = groups.agg(
        F.coalesce(F.sum("__rows"), F.lit(0)).alias("rows"),
        F.count_if(is_null).alias("nulls"),
        F.count_if(F.col("__rows") > 1).alias("repeated"),
        F.slice(F.collect_list(F.when(bad, F.struct(*texts, "__rows"))), 1, _MAX_EXAMPLES).alias(
            "examples"
        ),
    ).first()
    assert found is not None
    if found["nulls"] or found["repeated"]:
        examples = "; ".join(_describe(example, key) for example in found["examples"])
        raise WarehouseError(
            f"key {list(key)} does not identify the rows: {found['repeated']} value(s) stand in "
            f"several rows, {found['nulls']} hold a null ({examples}); name further key columns, "
            "or remove the rows with source.filter"
        )
    return int(found["rows"])


def _describe(example: Row, key: Sequence[str]) -> str:
    values = ", ".join(f"{name}={value}" for name, value in zip(key, example, strict=False))
    return f"{values}: {example['__rows']} row(s)"
