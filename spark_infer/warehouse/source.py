"""The job's source: a filtered table or files, with derived columns."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, DataFrameReader, SparkSession

from spark_infer.bundle.columns import instead
from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES, reason
from spark_infer.warehouse.binding import sql_with
from spark_infer.warehouse.config import SourceConfig


def read_source(spark: SparkSession, source: SourceConfig, values: Mapping[str, Any]) -> DataFrame:
    """Open the source; nothing is read yet but its schema.

    Raises:
        WarehouseError: The table or files are not there, or cannot be read with these options.
        ConfigError: The schema is no SQL, or the filter does not fit the columns or parameters.
    """
    try:
        if source.table is not None:
            df = spark.table(source.table)
        else:
            assert source.path is not None
            reader = spark.read.format(source.format).options(**source.options)
            if source.schema is not None:
                reader = _with_schema(reader, source.schema)
            df = reader.load(source.path)
    except SPARK_FAILURES as error:
        place = f"table {source.table!r}" if source.table else f"path {source.path!r}"
        raise WarehouseError(f"source {place} cannot be read: {reason(error)}") from None
    return where(df, source.filter, values, key="source.filter")


def _with_schema(reader: DataFrameReader, schema: str) -> DataFrameReader:
    try:
        return reader.schema(schema)
    except ParseException as error:
        raise ConfigError(
            f"source.schema ({schema}): {reason(error)}; declare the columns as in CREATE TABLE, "
            "such as: id BIGINT, amount DOUBLE, day DATE"
        ) from None


def where(
    df: DataFrame, condition: str | None, values: Mapping[str, Any], *, key: str
) -> DataFrame:
    """Keep the rows that meet a SQL condition with ``:name`` parameters.

    The values are bound as literals by Spark, never pasted into the text. They are what
    ``with_session_zone`` returned.

    Raises:
        ConfigError: The condition does not fit the columns or parameters.
    """
    if condition is None:
        return df
    spark = df.sparkSession
    view = f"spark_infer_{uuid.uuid4().hex}"
    df.createOrReplaceTempView(view)
    try:
        return sql_with(spark, f"SELECT * FROM {view} WHERE {condition}", values)
    except AnalysisException as error:
        known = ", ".join(f":{name}" for name in values) or "none"
        raise ConfigError(
            f"{key} ({condition}): {reason(error)} (parameters: {known}){instead('', df.columns)}"
        ) from None
    finally:
        spark.catalog.dropTempView(view)
