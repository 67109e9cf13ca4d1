"""What gives values back as they were written: formats, types and partition values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from spark_infer.errors import ConfigError, WarehouseError, nearest
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.names import Names
from spark_infer.spark.types import DECLARED, char_type
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.sinks.table import Table

_FAITHFUL = ("parquet", "orc", "avro", "delta", "iceberg")
_LOSSY = ("csv", "json", "text", "xml", "hive", "textfile", "libsvm")
_FAITHFUL_SERDES = ("ParquetHiveSerDe", "OrcSerde")
_NO_KEYS = ("map", "variant")
_FAITHFUL_PARTITIONS = (
    BooleanType,
    ByteType,
    ShortType,
    IntegerType,
    LongType,
    DateType,
    DecimalType,
)
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_ESCAPED = r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]"
"""What stands in a folder's name as %2F does for a slash."""
_MAX_NAME_BYTES = 255
_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
_WHY = "a second run could not tell which rows are there already"


def check_declared(spark: SparkSession, name: str, section: str) -> None:
    """Prove that the job file's format is there and gives back what was written.

    Raises:
        ConfigError: It is not or does not.
    """
    wanted = name.lower()
    if wanted in _LOSSY:
        raise ConfigError(
            f"{section}.format {name!r} does not give back every type, null and line break as it "
            f"was written, so {_WHY}; use one of {', '.join(_FAITHFUL)}"
        )
    if wanted not in _FAITHFUL:
        raise ConfigError(
            f"{section}.format {name!r} is none of "
            f"{', '.join(_FAITHFUL)}{nearest(name, _FAITHFUL)}; others are "
            "not known to give back what was written"
        )
    jvm: Any = spark.sparkContext._jvm
    conf = spark._jsparkSession.sessionState().conf()
    hint = "add its package (spark.jars.packages) or use parquet"
    with spark_failures(f"{section}.format {name!r} is not there", hint, ConfigError):
        jvm.org.apache.spark.sql.execution.datasources.DataSource.lookupDataSource(wanted, conf)


def check_found(name: str, table: Table) -> None:
    """Prove that a table can be written and gives back what was written.

    Raises:
        WarehouseError: It is of another kind.
    """
    if table.kind == "VIEW":
        raise WarehouseError(f"{name} is a view; name a table")
    serde = table.serde.rpartition(".")[2]
    format_name = f"hive ({serde})" if table.serde else table.provider
    is_faithful = serde in _FAITHFUL_SERDES if table.serde else table.provider in _FAITHFUL
    if table.kind and not is_faithful:
        raise WarehouseError(
            f"{name} has the format {format_name!r}, which is not known to give back "
            f"every type, null and line break as it was written, so {_WHY}; use a table of format "
            f"{', '.join(_FAITHFUL)}"
        )
    if table.serde and table.is_bucketed:
        raise WarehouseError(
            f"{name} is a bucketed Hive table, which Spark cannot write; use one "
            "without CLUSTERED BY"
        )


def check_types(
    spark: SparkSession, columns: StructType, partition_by: Sequence[str], key: Sequence[str]
) -> None:
    """Prove that partition columns, and times in keys, come back as they were written.

    Raises:
        ConfigError: They do not, or keys cannot be compared.
    """
    types = {field.name: field.dataType for field in columns.fields}
    for name in partition_by:
        if name.startswith("."):
            raise ConfigError(
                f"target.partition_by: column {name!r} makes folders that count as hidden, whose "
                "rows nobody would see; give it another name with a feature"
            )
        kind = types[name]
        is_plain = isinstance(kind, StringType) and kind.simpleString() == "string"
        if not is_plain and not isinstance(kind, _FAITHFUL_PARTITIONS):
            raise ConfigError(
                f"target.partition_by: column {name!r} is {kind.simpleString()}; the values of "
                "partitions are kept as text, and only strings, integers, decimals, booleans and "
                "dates come back as they were; derive such a column with a feature"
            )
    for name in key:
        kinds = (part.kind.typeName() for part in parts_of(name, types[name]))
        if found := next((kind for kind in kinds if kind in _NO_KEYS), None):
            raise ConfigError(
                f"key: column {name!r} is or holds a {found.upper()}, of which Spark cannot tell "
                "whether two are the same; make a number or a text of it with a feature"
            )
    cuts = str(spark.conf.get(_TIMESTAMPS)).upper() == "TIMESTAMP_MILLIS"
    times = [
        name
        for name in key
        if any(isinstance(part.kind, TimestampType) for part in parts_of(name, types[name]))
    ]
    if cuts and times:
        raise ConfigError(
            f"key: column {times[0]!r} is or holds a timestamp, and {_TIMESTAMPS} is "
            f"TIMESTAMP_MILLIS, which cuts its microseconds, so {_WHY}; set it to TIMESTAMP_MICROS"
        )


def check_storable(spark: SparkSession, name: str, columns: StructType, section: str) -> None:
    """Prove that a format of Spark's own has a place for every column's type.

    Raises:
        WarehouseError: It has none.
    """
    jvm: Any = spark.sparkContext._jvm
    session: Any = spark._jsparkSession
    source = jvm.org.apache.spark.sql.execution.datasources.DataSource.lookupDataSource(
        name, session.sessionState().conf()
    ).newInstance()
    if not hasattr(source, "fallbackFileFormat"):
        return
    files = source.fallbackFileFormat().newInstance()
    for field in columns.fields:
        if not files.supportDataType(session.parseDataType(field.dataType.json())):
            raise WarehouseError(
                f"{section}.format {name!r} cannot hold column {field.name!r}, which is "
                f"{field.dataType.simpleString()}; cast it with a feature"
            )


def check_held(spark: SparkSession, name: str, columns: StructType, section: str) -> None:
    """Prove that a format gives back names and values of these columns as they were written.

    Raises:
        WarehouseError: It does not.
    """
    parts = [part for field in columns.fields for part in parts_of(field.name, field.dataType)]
    is_orc = "orc" in name.lower()
    for part in parts:
        if is_orc and "`" in part.name:
            raise WarehouseError(
                f"{section}: a table of format {name} gives back null for column {part.path}, "
                "whose name has a backtick; rename it with a feature, or use parquet"
            )
        text = part.kind.simpleString() if isinstance(part.kind, StringType) else ""
        if " collate " in text and name.lower() != "parquet":
            raise WarehouseError(
                f"{section}: a table of format {name} is not known to give back column "
                f"{part.path}, which is {text}; cast it to string with a feature, or use parquet"
            )
    if is_orc and any(isinstance(part.kind, TimestampType) for part in parts):
        zones = _zones(spark)
        other = [zone for zone, is_utc in zones.items() if not is_utc]
        if other:
            raise WarehouseError(
                f"{section}: a table of format {name} keeps timestamps as the clock of the machine "
                f"shows them, and Spark runs in zone {other[0]}, so that they would be others in "
                "another zone; start Spark with -Duser.timezone=UTC "
                "(spark.driver.extraJavaOptions and spark.executor.extraJavaOptions), or use "
                "parquet"
            )


def _zones(spark: SparkSession) -> dict[str, bool]:
    """Return the zones of the driver's and of an executor's JVM, and whether each is UTC."""
    jvm: Any = spark.sparkContext._jvm
    zone = jvm.java.time.ZoneId
    # An executor computes it: it counts as another value each time.
    asked = spark.range(1).selectExpr("reflect('java.time.ZoneId', 'systemDefault')").first()
    assert asked is not None
    names = {str(zone.systemDefault().getId()), str(asked[0])}
    utc = jvm.java.time.ZoneOffset.UTC.getRules()
    return {name: bool(zone.of(name).getRules().equals(utc)) for name in sorted(names)}


class Part(NamedTuple):
    """A column, or a field somewhere in one."""

    name: str
    path: str
    kind: DataType


def parts_of(name: str, kind: DataType, within: str = "") -> Iterator[Part]:
    """Yield a column, and the fields and elements in it."""
    path = f"{within}.{name}" if within else name
    yield Part(name, repr(path), kind)
    if isinstance(kind, StructType):
        for field in kind.fields:
            yield from parts_of(field.name, field.dataType, path)
    elif isinstance(kind, ArrayType):
        yield from parts_of("element", kind.elementType, path)
    elif isinstance(kind, MapType):
        yield from parts_of("key", kind.keyType, path)
        yield from parts_of("value", kind.valueType, path)


def held_partition_value(column: str, kind: DataType) -> Column:
    """Return a partition column that ends the query at a value which would not come back.

    That is one that the name of a partition's folder does not give back as it is.

    Args:
        column: The column.
        kind: Its type.
    """
    value = F.col(quoted(column))
    if not isinstance(kind, StringType):
        return value
    escaped = F.regexp_replace(value, _ESCAPED, "%00")
    # As Java has it, whose text has no other bytes than those of UTF-8.
    of_java = F.regexp_replace(value, "^", "").cast("binary")
    num_bytes = F.octet_length(escaped) + len(column.encode()) + 2 * len(_pattern(column)) + 1
    problems = (
        (value.isin("", _NULL_PARTITION), "would come back as null"),
        (value.endswith(" "), "ends in a blank, which catalogs take for the value without it"),
        (F.contains(value, F.lit("\0")), "holds a zero byte"),
        (of_java != value.cast("binary"), "is no UTF-8"),
        (num_bytes > _MAX_NAME_BYTES, "is too long for the name of a folder"),
    )
    why = F.lit(None).cast("string")
    for is_wrong, text in reversed(problems):
        why = F.when(is_wrong, F.lit(text)).otherwise(why)
    shown = F.concat(F.lit(f"target.partition_by: {column}='"), F.substring(value, 1, 20))
    cut = F.when(F.length(value) > 20, F.lit("'... ")).otherwise(F.lit("' "))
    advice = "; give such rows another value with a feature, or remove them with source.filter"
    message = F.concat(shown, cut, why, F.lit(advice))
    return F.when(why.isNull(), value).otherwise(F.raise_error(message).cast("string"))


def _pattern(column: str) -> list[str]:
    return re.findall(_ESCAPED, column)


def full_type(field: StructField) -> str:
    """Return a column's type as text, with the length of a char in it, which pads its values."""
    return char_type((field.metadata or {}).get(DECLARED)) or field.dataType.simpleString()


def differences(current: StructType, wanted: StructType, names: Names) -> list[str]:
    """Return what a table's columns lack, have too much or have of another type."""
    there = {names.key(field.name): full_type(field) for field in current.fields}
    ours = {names.key(field.name): full_type(field) for field in wanted.fields}
    problems = [f"column {name!r} is missing" for name in ours if name not in there]
    problems += [f"column {name!r} is not written" for name in there if name not in ours]
    problems += [
        f"column {name!r} is {there[name]}, not {kind}"
        for name, kind in ours.items()
        if name in there and names.key(there[name]) != names.key(kind)
    ]
    return problems
