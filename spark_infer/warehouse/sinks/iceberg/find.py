"""What is a table of Iceberg, by what catalog and table say of themselves."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.warehouse.sinks.formats import parts_of
from spark_infer.warehouse.sinks.name import SESSION_CATALOG, TableName
from spark_infer.warehouse.sinks.table import Table

_PROVIDER = "iceberg"
_CATALOG = "HasIcebergCatalog"
"""What its catalogs implement, in whatever package they are."""
_STATEMENT = "ALTER TABLE t DROP BRANCH IF EXISTS b"
"""One that only a session with its extensions takes."""
_FORMATS = ("parquet", "orc", "avro", _PROVIDER)
_TYPES: tuple[type[DataType], ...] = (
    *(BooleanType, IntegerType, LongType, FloatType, DoubleType, DecimalType, StringType),
    *(BinaryType, DateType, TimestampType, TimestampNTZType, ArrayType, MapType, StructType),
)


def is_iceberg(spark: SparkSession, name: TableName, table: Table | None) -> bool:
    """Return whether a table is one of Iceberg, or would be when it is created.

    Args:
        spark: The session.
        name: The table.
        table: What its catalog says of it; None where there is none yet.
    """
    if table is not None:
        return table.provider == _PROVIDER and not table.kind
    return name.catalog != SESSION_CATALOG and _CATALOG in _kinds(name.plugin(spark))


def check_extensions(spark: SparkSession) -> None:
    """Prove that the session knows Iceberg's statements about branches.

    Raises:
        ConfigError: It does not.
    """
    parser: Any = spark._jsparkSession.sessionState().sqlParser()
    try:
        parser.parsePlan(_STATEMENT)
    except SPARK_FAILURES:
        raise ConfigError(
            "the target is a table of Iceberg, and Spark does not know its statements about "
            "branches, on which rows are staged; start Spark with Iceberg's "
            "IcebergSparkSessionExtensions in spark.sql.extensions"
        ) from None


def check_creatable(name: str, columns: StructType, section: str) -> None:
    """Prove that a table of a format gives back columns of these types as they were written.

    Args:
        name: The format.
        columns: The columns.
        section: Where in the job file it stands.

    Raises:
        ConfigError: Iceberg has no such files.
        WarehouseError: It has no such type.
    """
    if name.lower() not in _FORMATS:
        raise ConfigError(
            f"{section}.format {name!r}: a table of Iceberg has files of "
            f"{', '.join(_FORMATS[:-1])}; use one of them, or {_PROVIDER} for the catalog's default"
        )
    for field in columns.fields:
        for part in parts_of(field.name, field.dataType):
            if not isinstance(part.kind, _TYPES):
                raise WarehouseError(
                    f"{section}: Iceberg has no type for column {part.path}, which is "
                    f"{part.kind.simpleString()}; cast it with a feature, such as to int"
                )


def _kinds(plugin: Any) -> set[str]:
    """Return the simple names of the classes and interfaces of a Java object."""
    found: set[str] = set()
    pending = [plugin.getClass()]
    while pending:
        kind = pending.pop()
        found.add(str(kind.getSimpleName()))
        pending += [*kind.getInterfaces(), *filter(None, [kind.getSuperclass()])]
    return found
