"""A source as it was when a run has read it, where its table can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import where
from spark_infer.warehouse.sinks.name import TableName


def as_of(
    spark: SparkSession,
    source: SourceConfig,
    snapshot: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
) -> DataFrame | None:
    """Return the rows of a source as they were.

    Args:
        spark: The session.
        source: What the job file says of it.
        snapshot: What the report of the run says of it.
        values: The parameters, as ``with_session_zone`` returned them.

    Returns:
        None where it is no table of Iceberg, or one whose snapshot has expired.
    """
    if source.table is None or len(snapshot) != 1 or not snapshot[0].get("snapshot_id"):
        return None
    name = TableName.read(spark, source.table, key="source.table")
    # Not of a view, which has a name of its own.
    if snapshot[0]["place"] != ".".join((name.catalog, *name.namespace, name.table)):
        return None
    with suppress(*SPARK_FAILURES):
        number = int(snapshot[0]["snapshot_id"])
        rows = spark.sql(f"SELECT * FROM {name.sql} VERSION AS OF {number}")
        return where(rows, source.filter, values, key="source.filter")
    return None
