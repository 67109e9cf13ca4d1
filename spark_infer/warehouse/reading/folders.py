"""Folders of files: names that Spark reads as other values, and files that it does not read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame
from pyspark.sql.types import (
    BinaryType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    FractionalType,
    IntegralType,
    ShortType,
    StructField,
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
_BITS: dict[type[DataType], int] = {ByteType: 8, ShortType: 16}
"""Of integers of which Spark cuts off what they do not hold."""
_WHOLE = re.compile(r"[+-]?[0-9]+")
_SOME_DAY = r"[+-]?[0-9]{4,7}(-[0-9]{1,2}(-[0-9]{1,2})?)?"
_CLOCK = r"[ T][0-9]{1,2}(:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]*)?)?)?"
_ZONE = r"( ?([A-Za-z][A-Za-z0-9_/+:-]*|[+-][0-9:]+))?"
_DECLARED: dict[type[DataType], re.Pattern[str]] = {
    DateType: re.compile(_SOME_DAY),
    TimestampType: re.compile(f"{_SOME_DAY}({_CLOCK}{_ZONE})?"),
    TimestampNTZType: re.compile(f"{_SOME_DAY}({_CLOCK})?"),
}
"""What a day or time may be written like, so that Spark neither cuts it nor adds today's date."""
_NULL = "__HIVE_DEFAULT_PARTITION__"


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
    for partition in items(spec.partitions()):
        folders = str(partition.path().toString()).split("/")
        for at, field in enumerate(columns, -len(columns)):
            name = folders[at].partition("=")[2]
            is_declared = bool(names.find(field.name, declared))
            says = _is_said if is_declared else _is_kept
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


def _is_said(name: str, kind: DataType) -> bool:
    """Tell whether Spark reads a folder's name as the value of the declared type that it says.

    What it refuses by itself is none of its matter. Of a decimal it takes the digits and forgets
    where the point is.
    """
    text = unquote(name)
    if text == _NULL:
        return True
    if isinstance(kind, BinaryType):  # Spark takes the bytes of %3A for the name's own.
        return name == text
    if isinstance(kind, DecimalType):
        try:
            digits = Decimal(text).as_tuple()
        except InvalidOperation:
            return True
        return digits.exponent == -kind.scale and len(digits.digits) <= kind.precision
    if isinstance(kind, ByteType | ShortType):
        most = 1 << _BITS[type(kind)] - 1
        return _WHOLE.fullmatch(text) is None or -most <= int(text) < most
    form = _DECLARED.get(type(kind))
    return form is None or form.fullmatch(text) is not None


def _is_kept(name: str, kind: DataType) -> bool:
    """Return whether a value of the type is written like this, so that it says the same."""
    text = unquote(name)
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
