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
    # Their places tell the columns apart: a key may have any name.
    places = [str(place) for place in range(len(key))]
    keys = df.select(
        *(F.col(quoted(name)).alias(place) for name, place in zip(key, places, strict=True))
    )
    is_null = reduce(or_, (F.col(place).isNull() for place in places))
    groups = keys.groupBy(*places).agg(F.count(F.lit(1)).alias("rows"))
    # As text: a timestamp that is collected would be shown in the zone of this machine.
    texts = [F.col(place).cast("string").alias(place) for place in places]
    bad = is_null | (F.col("rows") > 1)
    found = groups.agg(
        F.coalesce(F.sum("rows"), F.lit(0)).alias("rows"),
        F.count_if(is_null).alias("nulls"),
        F.count_if(F.col("rows") > 1).alias("repeated"),
        F.slice(F.collect_list(F.when(bad, F.struct(*texts, "rows"))), 1, _MAX_EXAMPLES).alias(
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
    *values, num_rows = example
    pairs = zip(key, values, strict=True)
    return f"{', '.join(f'{name}={value}' for name, value in pairs)}: {num_rows} row(s)"
