"""The job's source: a filtered table or files, with derived columns."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle.columns import instead
from spark_infer.errors import ConfigError, WarehouseError, some
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.types import pickled_columns
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.parameters.binding import sql_with
from spark_infer.warehouse.reading.files import read_files
from spark_infer.warehouse.reading.folders import check_folders
from spark_infer.warehouse.reading.partitions import check_partitions
from spark_infer.warehouse.reading.tables import check_not_cached, read_table


def read_source(spark: SparkSession, source: SourceConfig, values: Mapping[str, Any]) -> DataFrame:
    """Open the source; nothing is read yet but its schema (see ``read_files``).

    Raises:
        WarehouseError: The table or files are not there, or cannot be read with these options; or
            Spark would read something else than what is there.
        ConfigError: The schema is no SQL or names a column that no file has, or the filter does not
            fit the columns or parameters.
    """
    place = f"table {source.table!r}" if source.table else f"path {source.path!r}"
    with spark_failures(f"source {place} cannot be read", _forgotten(spark, source)):
        df = read_table(spark, source.table) if source.table else read_files(spark, source)
        _check_no_code(df, place)
        if source.path is not None:
            check_folders(df, source)
        else:
            check_partitions(df)
    rows = where(df, source.filter, values, key="source.filter")
    check_not_cached(rows)
    return rows


def _check_no_code(df: DataFrame, place: str) -> None:
    if found := pickled_columns(df):
        raise WarehouseError(
            f"source {place}: the files say of column {some(found)} that it is of a class of "
            "Python, which they hold themselves, and whose code would be run; declare the columns "
            "in source.schema, or have it written as an array or a struct"
        )


def where(
    df: DataFrame, condition: str | None, values: Mapping[str, Any], *, key: str
) -> DataFrame:
    """Keep the rows that meet a SQL condition with ``:name`` parameters.

    The values are bound as literals by Spark, never pasted into the text. They are what
    ``with_session_zone`` returned.

    Raises:
        ConfigError: The condition is more or less than one expression, or does not fit the columns
            or parameters.
    """
    if condition is None:
        return df
    spark = df.sparkSession
    view = f"spark_infer_{uuid.uuid4().hex}"
    df.createOrReplaceTempView(view)
    known = ", ".join(f":{name}" for name in values) or "none"
    try:
        hint = f"parameters: {known}{instead('', df.columns)}"
        with spark_failures(f"{key} ({condition})", hint, ConfigError):
            # As a text of its own: pasted into a query, it could be the rest of one (LIMIT, UNION).
            spark._jsparkSession.sessionState().sqlParser().parseExpression(condition)
            # Without the alias, WHERE itself would be one, and a name in parentheses its columns.
            query = f"SELECT * FROM {view} AS {view} WHERE (\n{condition}\n)"
            return sql_with(spark, query, values)
    finally:
        spark.catalog.dropTempView(view)


def _forgotten(spark: SparkSession, source: SourceConfig) -> str:
    """Return the hint for a table that a catalog in memory cannot know."""
    is_in_memory = spark.conf.get("spark.sql.catalogImplementation") == "in-memory"
    if source.table is None or not is_in_memory:
        return ""
    return (
        "the Spark session's catalog is in memory and knows only the tables that it has made: use "
        "the catalog that knows the table (spark.sql.catalogImplementation: hive and its "
        "metastore), or source.path"
    )
