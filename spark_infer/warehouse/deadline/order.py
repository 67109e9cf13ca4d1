"""Rows in an order, across tasks and within each."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle.columns import instead
from spark_infer.errors import ConfigError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config.deadline import OrderKey
from spark_infer.warehouse.parameters.binding import sql_with

TASKS_PER_CORE = 8
"""Tasks run side by side, each over a range of its own. The more there are, the nearer is what was
predicted to the first rows of all; each costs a little."""


def ordered(df: DataFrame, order_by: Sequence[str], values: Mapping[str, Any]) -> DataFrame:
    """Order rows such that the first ones are in the first tasks, and first in each.

    Spark reads the rows twice: once to find where ranges begin.

    Args:
        df: The rows.
        order_by: Expressions of their columns, as ``ORDER BY`` has them.
        values: The job's parameters, as ``with_session_zone`` returned them.

    Raises:
        ConfigError: An expression is more or less than one value of each row, or cannot be ordered.
    """
    spark, columns = df.sparkSession, df.columns
    names = unused(columns, len(order_by))
    keys = [OrderKey.of(text) for text in order_by]
    for number, (key, name) in enumerate(zip(keys, names, strict=True)):
        view = f"spark_infer_{uuid.uuid4().hex}"
        df.createOrReplaceTempView(view)
        try:
            text = f"order_by.{number} ({key.sql})"
            hint = f"it is one value of each row{instead('', columns)}"
            with spark_failures(text, hint, ConfigError):
                # As a text of its own: pasted into a query, it could be the rest of one.
                spark._jsparkSession.sessionState().sqlParser().parseExpression(key.sql)
                # In another expression it cannot be one that makes rows, such as explode.
                one = f"coalesce((\n{key.sql}\n)) AS {quoted(name)}"
                df = sql_with(spark, f"SELECT *, {one} FROM {view} AS {view}", values)
                df.orderBy(_column(name, key)).schema  # noqa: B018 - Spark looks at the type.
        finally:
            spark.catalog.dropTempView(view)
    by = [_column(name, key) for name, key in zip(names, keys, strict=True)]
    tasks = TASKS_PER_CORE * spark.sparkContext.defaultParallelism
    return df.repartitionByRange(tasks, *by).sortWithinPartitions(*by).select(*map(quoted, columns))


def _column(name: str, key: OrderKey) -> Column:
    column = F.col(quoted(name))
    first = not key.descends if key.nulls_first is None else key.nulls_first
    if key.descends:
        return column.desc_nulls_first() if first else column.desc_nulls_last()
    return column.asc_nulls_first() if first else column.asc_nulls_last()
