"""Folders of files: names that Spark reads as other values, and files that it does not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField

from spark_infer.errors import WarehouseError
from spark_infer.spark.names import Names
from spark_infer.spark.plans import items, kind_of
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.partition_names import is_kept, is_said, partition_columns
from spark_infer.warehouse.reading.relations import file_relations


def check_folders(df: DataFrame, source: SourceConfig) -> None:
    """Prove that the folders of a source's files are read as they are named, and all of them.

    Raises:
        WarehouseError: The type that Spark finds for a partition column, or that is declared, makes
            another value of a folder's name; or Spark would leave out a folder, and
            ``recursiveFileLookup`` is not given.
    """
    options = {name.lower() for name in source.options}
    for leaf in file_relations(df):
        location = leaf.relation().location()
        if kind_of(location) != "InMemoryFileIndex":
            continue
        spec = location.partitionSpec()
        _check_names(df, source, spec)
        if "recursivefilelookup" not in options:
            for path in _left_out(location, spec):
                raise WarehouseError(
                    f"source.path: Spark does not read {path}, since the folder is not named as "
                    "one of a partition column (name=value) beside others; set recursiveFileLookup "
                    "in source.options to true to read the files of all folders, or to false to "
                    "leave it out"
                )


def _check_names(df: DataFrame, source: SourceConfig, spec: Any) -> None:
    columns = partition_columns(spec.partitionColumns())
    names = Names.of_session(df.sparkSession)
    declared: list[str] = []
    if source.schema is not None:
        jvm: Any = df.sparkSession._jvm
        schema = jvm.org.apache.spark.sql.types.StructType.fromDDL(source.schema)
        declared = list(map(str, schema.fieldNames()))
    for partition in items(spec.partitions()):
        folders = str(partition.path().toString()).split("/")
        for at, field in enumerate(columns, -len(columns)):
            name = folders[at].partition("=")[2]
            is_declared = bool(names.find(field.name, declared))
            says = is_said if is_declared else is_kept
            if not says(name, field.dataType):
                raise WarehouseError(_refusal(folders[at], field, is_declared=is_declared))


def _refusal(folder: str, field: StructField, *, is_declared: bool) -> str:
    kind = field.dataType.simpleString().upper()
    what = (
        f"source.path: the folder {folder!r} would be read as a value of type {kind}, which is not "
        "what its name says; "
    )
    if is_declared:
        return (
            f"{what}declare {field.name} as STRING in source.schema and cast it in the job's "
            "features, or name the folders as such values are written (a DECIMAL(9,2) as 7.00)"
        )
    return (
        f"{what}declare all columns in source.schema and {field.name} as STRING there, or name the "
        "folders as such values are written (7, 1.5, 2018-08-08)"
    )


def _left_out(location: Any, spec: Any) -> Iterator[str]:
    """Yield files that Spark has listed and does not read."""
    roots = {str(path.toString()) for path in items(location.rootPaths())}
    read = {str(partition.path().toString()) for partition in items(spec.partitions())}
    for entry in items(location.leafDirToChildrenFiles().toSeq()):
        folder = str(entry._1().toString())
        if folder in (read or roots):
            continue
        for status in entry._2():
            path = str(status.getPath().toString())
            if path not in roots and not status.getPath().getName().startswith(("_", ".")):
                yield path
