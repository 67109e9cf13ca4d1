"""Parquet files as Spark would write them, or the reason why Spark has to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ByteType,
    DateType,
    IntegerType,
    LongType,
    ShortType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.names import Names
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.scan import NotDirect
from spark_infer.spark.scan.files.types import arrow_type, holds
from spark_infer.spark.types import DECLARED
from spark_infer.spark.written.layout import Layout

_CODECS = {
    "none": "NONE",
    "uncompressed": "NONE",
    "snappy": "SNAPPY",
    "gzip": "GZIP",
    "zstd": "ZSTD",
    "lz4_raw": "LZ4",
}
_ORDERED = (
    ByteType,
    ShortType,
    IntegerType,
    LongType,
    DateType,
    TimestampType,
    TimestampNTZType,
)
_LEAST_PYARROW = 25
"""Before it, times before 1970 may be written as 96 bits that not everybody reads."""


class NotByWorkers(Exception):
    """Spark has to write the rows; the message says why."""


def parquet_layout(
    spark: SparkSession,
    prediction: Prediction,
    columns: Sequence[str],
    partition_by: Sequence[str],
    key: Sequence[str],
    options: Mapping[str, str],
    folder: str,
) -> Layout:
    """Return how the workers lay out rows so that Spark reads them as if it had written them.

    Args:
        spark: The session, whose settings say how Spark would.
        prediction: The rows.
        columns: Its columns that stand in a file, in order and as the file spells them.
        partition_by: Its columns by which rows come into files of their own.
        key: Its columns that identify a row.
        options: With which the files are written.
        folder: Where they go.

    Raises:
        NotByWorkers: Spark would write them otherwise, or the workers cannot.
    """
    if int(pa.__version__.partition(".")[0]) < _LEAST_PYARROW:
        raise NotByWorkers(f"pyarrow is {pa.__version__}, {_LEAST_PYARROW} is needed")
    names, fields = Names.of_session(spark), prediction.df.schema.fields
    there = [field.name for field in fields]

    def place(name: str) -> int:
        return there.index(names.one(name, there, where=""))

    stored = [_stored(fields[place(name)], name) for name in columns]
    kinds = StructType(stored)
    return Layout(
        folder=folder,
        constants=tuple(value for _, value in prediction.constants),
        places=tuple(map(place, columns)),
        schema=pa.schema([(each.name, arrow_type(each.dataType)) for each in stored]),
        partition=tuple(map(place, partition_by)),
        reason=place(REASON_COLUMN),
        key=next((place(n) for n in key if _has_order(fields[place(n)], key)), None),
        compression=_compression(spark, options),
        has_int96=_has_int96(spark, kinds),
        metadata={
            "org.apache.spark.version": spark.version,
            "org.apache.spark.sql.parquet.row.metadata": kinds.json(),
        },
    )


def _has_order(field: StructField, key: Sequence[str]) -> bool:
    """Return whether a key is a single column whose ranges can be looked at."""
    return len(key) == 1 and isinstance(field.dataType, _ORDERED)


def _stored(field: StructField, name: str) -> StructField:
    """Return a column as the file has it.

    Raises:
        NotByWorkers: It is of a type that only Spark writes.
    """
    if DECLARED in (field.metadata or {}):
        raise NotByWorkers(f"column {name!r} is a CHAR or VARCHAR")
    try:
        arrow_type(field.dataType)
    except NotDirect as error:
        raise NotByWorkers(str(error)) from None
    return StructField(name, field.dataType, True, field.metadata)


def _compression(spark: SparkSession, options: Mapping[str, str]) -> str:
    given = {name.lower(): value for name, value in options.items()}
    found = spark.conf.get("spark.sql.parquet.compression.codec")
    for name in ("parquet.compression", "compression"):
        found = given.pop(name, found)
    if given:
        raise NotByWorkers(f"the table is written with {min(given)}")
    codec = _CODECS.get(str(found).lower())
    if codec is None:
        raise NotByWorkers(f"its files are compressed by {found}")
    hadoop = spark._jsparkSession.sessionState().newHadoopConf()
    if own := sorted(hadoop.getPropsWithPrefix("parquet.")):
        raise NotByWorkers(f"parquet.{own[0]} is set")
    return codec


def _has_int96(spark: SparkSession, columns: StructType) -> bool:
    """Return whether timestamps are stored as 96 bits.

    Raises:
        NotByWorkers: Spark is told to store times as the workers do not.
    """

    def setting(name: str) -> str:
        return str(spark.conf.get(f"spark.sql.parquet.{name}")).upper()

    wrong = {
        "writeLegacyFormat": "TRUE",
        "datetimeRebaseModeInWrite": "LEGACY",
        "int96RebaseModeInWrite": "LEGACY",
        "outputTimestampType": "TIMESTAMP_MILLIS",
    }
    for name, value in wrong.items():
        if setting(name) == value:
            raise NotByWorkers(f"spark.sql.parquet.{name} is {value}")
    has_int96 = setting("outputTimestampType") == "INT96" and holds(columns, TimestampType)
    if has_int96 and holds(columns, TimestampNTZType):
        raise NotByWorkers("timestamps with and without a zone are stored in two ways")
    return has_int96
