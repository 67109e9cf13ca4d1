"""The key of one row, as somebody types it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError, nearest
from spark_infer.spark.names import Names
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import ParameterConfig
from spark_infer.warehouse.parameters.binding import with_session_zone
from spark_infer.warehouse.reading.source import where
from spark_infer.warehouse.values import read

_KINDS: tuple[tuple[type[DataType], str], ...] = (
    (IntegralType, "int"),
    (StringType, "string"),
    (DateType, "date"),
    (TimestampType, "timestamp"),
    (TimestampNTZType, "timestamp_ntz"),
    (BooleanType, "bool"),
    (FloatType, "float"),
    (DoubleType, "float"),
    (DecimalType, "string"),
    (BinaryType, "string"),
)
"""Which kind of parameter a column is compared with."""


@dataclass(frozen=True)
class RowKey:
    """A value, as text, for each column of a job's key.

    Attributes:
        values: The texts, in the order of the key.
    """

    values: Mapping[str, str]

    @classmethod
    def of(cls, columns: Sequence[str], given: Mapping[str, str]) -> RowKey:
        """Check that all columns have a value, and nothing else has one.

        Args:
            columns: The job's key.
            given: Text by column.

        Raises:
            ConfigError: A column is missing, or is none of the key.
        """
        for name in given:
            if name not in columns:
                raise ConfigError(
                    f"{name!r} is no column of the job's key{nearest(name, columns)} (key: "
                    f"{list(columns)})"
                )
        if missing := [name for name in columns if name not in given]:
            wanted = " ".join(f"--key {name}=..." for name in columns)
            raise ConfigError(
                f"the job's key is {list(columns)}, and {', '.join(map(repr, missing))} has no "
                f"value; give all of it ({wanted})"
            )
        return cls({name: given[name] for name in columns})

    def rows(self, df: DataFrame) -> DataFrame:
        """Return the rows that have this key. The values are bound, and never part of the SQL.

        Args:
            df: Rows of a session with the settings ``BINDING``.

        Raises:
            ConfigError: A text is no value of its column's type, or there is no such column.
        """
        spark, names = df.sparkSession, Names.of_session(df.sparkSession)
        conditions: list[str] = []
        declared: dict[str, ParameterConfig] = {}
        values: dict[str, Any] = {}
        for at, (name, text) in enumerate(self.values.items()):
            column = names.one(name, df.columns, where="key")
            kind = df.schema[column].dataType
            parameter = f"k{at}"
            declared[parameter] = ParameterConfig.model_validate({"type": _kind(name, kind)})
            values[parameter] = _value(name, kind, declared[parameter].type, text)
            conditions.append(f"{quoted(column)} = {_compared(kind, parameter)}")
        bound = _bound(spark, declared, values, self.values)
        return where(df, " AND ".join(conditions), bound, key="key")


def _bound(
    spark: SparkSession,
    declared: Mapping[str, ParameterConfig],
    values: Mapping[str, Any],
    texts: Mapping[str, str],
) -> dict[str, Any]:
    try:
        return with_session_zone(spark, declared, values)
    except ConfigError as error:
        raise ConfigError(f"key {dict(texts)}: {error}") from None


def _kind(name: str, kind: DataType) -> str:
    for known, parameter in _KINDS:
        if isinstance(kind, known):
            return parameter
    raise ConfigError(
        f"key {name!r} is {kind.simpleString().upper()}, of which no value can be given as text; "
        "look the row up with SQL"
    )


def _value(name: str, kind: DataType, parameter: str, text: str) -> Any:
    try:
        if isinstance(kind, DecimalType):
            _check_decimal(kind, text)
        if isinstance(kind, BinaryType):
            bytes.fromhex(text)
        return read(parameter, text)
    except ValueError as error:
        said = str(error)
        if isinstance(kind, BinaryType):
            said = f"must be bytes in hexadecimal digits such as 0a1b, got {shown(text)}"
        raise ConfigError(f"key {name!r} {said}") from None


def _check_decimal(kind: DecimalType, text: str) -> None:
    """Raise ValueError unless a text is exactly a number of this type."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    must = f"must be a {kind.simpleString()} such as {Decimal(1).scaleb(-kind.scale)}"
    if not number.is_finite():
        raise ValueError(f"{must}, got {shown(text)}")
    # Not by arithmetic, which rounds to 28 digits.
    _, digits, exponent = number.as_tuple()
    told = "".join(map(str, digits)).rstrip("0")
    assert isinstance(exponent, int)
    places = len(digits) - len(told) + exponent
    is_too_large = number.adjusted() >= kind.precision - kind.scale
    if told and (is_too_large or -places > kind.scale):
        raise ValueError(f"{must}, got {shown(text)}, which it does not hold")


def _compared(kind: DataType, parameter: str) -> str:
    """Return what a column is compared with, in SQL."""
    if isinstance(kind, BinaryType):
        return f"unhex(:{parameter})"
    if isinstance(kind, FloatType | DecimalType):
        return f"CAST(:{parameter} AS {kind.simpleString()})"
    return f":{parameter}"
