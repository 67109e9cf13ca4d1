"""Partitions of tables whose names Spark reads as other values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DataType, StringType, StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.plans import items, kind_of, scala_none
from spark_infer.warehouse.reading.partition_names import (
    is_cast,
    is_kept,
    is_said,
    partition_columns,
)
from spark_infer.warehouse.reading.relations import file_relations


def check_partitions(df: DataFrame) -> None:
    """Prove that the partitions of the tables that a plan reads are read as they are named.

    Another tool may have named them, and a catalog takes all names.

    Raises:
        WarehouseError: The type of a partition column makes another value of a name.
    """
    for leaf in items(df._jdf.queryExecution().analyzed().collectLeaves()):
        if kind_of(leaf) == "HiveTableRelation":
            _check_catalog(df.sparkSession, leaf.tableMeta())
    for leaf in file_relations(df):
        location = leaf.relation().location()
        kind, is_table = kind_of(location), leaf.catalogTable().isDefined()
        if kind == "CatalogFileIndex" and is_table:
            _check_catalog(df.sparkSession, leaf.catalogTable().get())
        elif kind == "InMemoryFileIndex":
            spec = location.partitionSpec()
            columns = partition_columns(spec.partitionColumns())
            paths = (str(partition.path().toString()) for partition in items(spec.partitions()))
            _check(paths, columns, is_said if is_table else is_kept)


def _check_catalog(spark: SparkSession, table: Any) -> None:
    columns = partition_columns(table.partitionSchema())
    if any(not isinstance(field.dataType, StringType) for field in columns):
        catalog: Any = spark._jsparkSession.sessionState().catalog()
        paths = catalog.listPartitionNames(table.identifier(), scala_none(spark))
        # One call for all of them, which may be many; a name has no line end that is not escaped.
        _check(filter(None, str(paths.mkString("\n")).split("\n")), columns, is_cast)


def _check(
    paths: Iterable[str], columns: StructType, says: Callable[[str, DataType], bool]
) -> None:
    for path in paths:
        folders = path.split("/")[-len(columns) :]
        for folder, field in zip(folders, columns, strict=True):
            if not says(folder.partition("=")[2], field.dataType):
                kind = field.dataType.simpleString().upper()
                raise WarehouseError(
                    f"source.table: the partition {folder!r} would be read as a value of type "
                    f"{kind}, which is not what its name says; drop it from the table, or name it "
                    "as such values are written (7, 1.50, 2018-08-08 10:00:00)"
                )
