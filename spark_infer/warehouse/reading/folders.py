"""Folders of files: names that Spark reads as other values, and files that it does not read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame
from pyspark.sql.types import (
    DataType,
    DateType,
    DecimalType,
    FractionalType,
    IntegralType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.errors import WarehouseError
from spark_infer.spark.names import Names
from spark_infer.spark.plans import items
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.relations import file_relations

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)(\.0|\.[0-9]*[1-9])?")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY = re.compile(_DATE)
_TIME = re.compile(rf"{_DATE}([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?)?")
_NULL = "__HIVE_DEFAULT_PARTITION__"


def check_folders(df: DataFrame, source: SourceConfig) -> None:
    """Prove that the folders of a source's files are read as they are named, and all of them.

    Raises:
        WarehouseError: The type that Spark finds for a partition column makes another value of a
            folder's name; or Spark would leave out a folder, and ``recursiveFileLookup`` is not
            given.
    """
    options = {name.lower() for name in source.options}
    for leaf in file_relations(df):
        location = leaf.relation().location()
        if location.getClass().getSimpleName() != "InMemoryFileIndex":
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
    columns = StructType.fromJson(json.loads(spec.partitionColumns().json()))
    names = Names.of_session(df.sparkSession)
    declared: list[str] = []
    if source.schema is not None:
        jvm: Any = df.sparkSession._jvm
        schema = jvm.org.apache.spark.sql.types.StructType.fromDDL(source.schema)
        declared = list(map(str, schema.fieldNames()))
    inferred = [
        (at - len(columns), field)
        for at, field in enumerate(columns)
        if not names.find(field.name, declared)
    ]
    if not inferred:
        return
    for partition in items(spec.partitions()):
        folders = str(partition.path().toString()).split("/")
        for at, field in inferred:
            text = unquote(folders[at].partition("=")[2])
            if not _is_kept(text, field.dataType):
                raise WarehouseError(
                    f"source.path: the folder {folders[at]!r} would be read as a value of type "
                    f"{field.dataType.simpleString().upper()}, which is not what its name says; "
                    f"declare all columns in source.schema and {field.name} as STRING there, or "
                    "name the folders as such values are written (7, 1.5, 2018-08-08)"
                )


def _is_kept(text: str, kind: DataType) -> bool:
    """Return whether a value of the type is written like this, so that it says the same."""
    if text == _NULL:
        return True
    if isinstance(kind, DateType):
        return _DAY.fullmatch(text) is not None
    if isinstance(kind, TimestampType | TimestampNTZType):
        return _TIME.fullmatch(text) is not None
    if isinstance(kind, IntegralType | DecimalType):
        return _INTEGER.fullmatch(text) is not None
    if isinstance(kind, FractionalType):
        is_plain = _FRACTION.fullmatch(text) is not None
        return is_plain and Decimal(repr(float(text))) == Decimal(text)
    return True


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
