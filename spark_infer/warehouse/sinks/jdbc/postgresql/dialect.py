"""PostgreSQL's types, names and literals, and how values come there and back as they are.

Values travel as numbers, booleans and bytes, and all others as text: the driver's and Spark's own
ways to send dates and times go through calendars and the zone of the machine, in which some of them
do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.errors import WarehouseError
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.values.identifiers import MAX_BYTES

DRIVER = "org.postgresql.Driver"
_TYPES: dict[type[DataType], str] = {
    BinaryType: "bytea",
    BooleanType: "boolean",
    ByteType: "smallint",
    DateType: "date",
    DoubleType: "double precision",
    FloatType: "real",
    IntegerType: "integer",
    LongType: "bigint",
    ShortType: "smallint",
    StringType: "text",
    TimestampNTZType: "timestamp without time zone",
    TimestampType: "timestamp with time zone",
}
_AS_THEY_ARE = (
    *(BinaryType, BooleanType, DecimalType, DoubleType, FloatType),
    *(IntegerType, LongType, ShortType),
)
_TIMES = (DateType, TimestampNTZType, TimestampType)


def name_sql(*parts: str) -> str:
    """Return a name in SQL text."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in parts)


def literal(text: str) -> str:
    """Return a text as a literal that no setting reads otherwise."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"E'{escaped}'"


def check_column(field: StructField) -> None:
    """Prove that there is a type for a column, which gives its values back, and a name.

    Raises:
        WarehouseError: There is none.
    """
    kind = field.dataType
    text = kind.simpleString()
    if _name(kind) is None or " collate " in text:
        raise WarehouseError(
            f"target: PostgreSQL has no type for column {field.name!r}, which is {text}; cast it "
            "with a feature, such as to string or to_json(...)"
        )
    if len(field.name.encode()) > MAX_BYTES or "\0" in field.name:
        raise WarehouseError(
            f"target: PostgreSQL has no column {field.name!r}: names have at most {MAX_BYTES} "
            "bytes, none of which is zero; rename it with a feature"
        )


def type_sql(kind: DataType) -> str:
    """Return the database's type for one of Spark, as its catalog spells it."""
    name = _name(kind)
    assert name is not None, kind
    return name


def wire_type_sql(kind: DataType) -> str:
    """Return the type of a column in which the values arrive."""
    return type_sql(kind) if isinstance(kind, (*_AS_THEY_ARE, ByteType)) else "text"


def to_wire(field: StructField) -> Column:
    """Return a column of Spark as it travels; one that cannot be held ends the query."""
    value, kind = F.col(quoted(field.name)), field.dataType
    if isinstance(kind, ArrayType):
        element = kind.elementType
        items = F.transform(value, lambda item: _item(item, element, field.name))
        text = F.array_join(items, ",", null_replacement="NULL")
        return F.concat(F.lit("{"), text, F.lit("}")).alias(field.name)
    return _scalar(value, kind, field.name).alias(field.name)


def from_wire_sql(name: str, kind: DataType) -> str:
    """Return SQL of the database for a value that has arrived."""
    return f"CAST({name_sql(name)} AS {type_sql(kind)})"


def sent_sql(name: str, there: str, kind: DataType) -> str:
    """Return SQL of the database for a column that Spark reads, in a session in UTC.

    Texts are compared as Spark compares them, byte by byte.

    Args:
        name: What it is called.
        there: What the table calls it.
        kind: What it is to Spark.
    """
    value = name_sql(there)
    if isinstance(kind, ArrayType):
        value = f"CAST(pg_catalog.array_to_json(CAST({value} AS text[])) AS text)"
    elif isinstance(kind, _TIMES):
        value = f"CAST({value} AS text)"
    elif isinstance(kind, StringType):
        value = f'{value} COLLATE "C"'
    return f"{value} AS {name_sql(name)}"


def received(name: str, kind: DataType) -> Column:
    """Return a column that was read, as it was before it was written."""
    value = F.col(quoted(name))
    if isinstance(kind, ArrayType):
        element = kind.elementType
        items = F.from_json(value, "array<string>")
        value = F.transform(items, lambda item: _received(item, element))
    elif not isinstance(kind, BinaryType):
        value = _received(value, kind)
    return value.cast(kind).alias(name)


def in_partitions(
    by: Sequence[tuple[str, DataType]], partitions: Sequence[Sequence[str | None]]
) -> str:
    """Return the condition that a row stands in one of some partitions, one at least.

    Args:
        by: The partition columns as the table calls them, and their types.
        partitions: The values of each as text.
    """
    if len(by) == 1:
        ((name, kind),) = by
        texts = [literal(value) for (value,) in partitions if value is not None]
        parts = [f"{name_sql(name)} = ANY(CAST(ARRAY[{', '.join(texts)}] AS {type_sql(kind)}[]))"]
        null = f"{name_sql(name)} IS NULL"
        parts = (parts if texts else []) + ([null] if len(texts) < len(partitions) else [])
        return " OR ".join(parts)

    def one(values: Sequence[str | None]) -> str:
        return " AND ".join(
            f"{name_sql(name)} IS NULL"
            if value is None
            else f"{name_sql(name)} = CAST({literal(value)} AS {type_sql(kind)})"
            for (name, kind), value in zip(by, values, strict=True)
        )

    return " OR ".join(f"({one(values)})" for values in partitions)


def _name(kind: DataType) -> str | None:
    if isinstance(kind, ArrayType):
        # What is an array of arrays there must have inner ones of one length.
        inner = None if isinstance(kind.elementType, ArrayType) else _name(kind.elementType)
        return None if inner is None else f"{inner}[]"
    if isinstance(kind, DecimalType):
        return f"numeric({kind.precision},{kind.scale})"
    return _TYPES.get(type(kind))


def _scalar(value: Column, kind: DataType, name: str) -> Column:
    if isinstance(kind, ByteType):
        return value.cast("short")
    if isinstance(kind, _AS_THEY_ARE):
        return value
    if isinstance(kind, StringType):
        problem = "a text with the character U+0000, or bytes that are no UTF-8"
        is_wrong = F.contains(value, F.lit("\0")) | (
            value.cast("binary") != F.encode(value, "UTF-8")
        )
        advice = "replace them with a feature, such as translate(x, char(0), '')"
        return _refused(is_wrong, value, f"column {name!r} holds {problem}", advice)
    problem = f"column {name!r} holds a time before the year 1 or after the year 9999"
    text = _utc_text(value) if isinstance(kind, TimestampType) else value.cast("string")
    is_wrong = ~F.year(value).between(1, 9999)
    return _refused(is_wrong, text, problem, "give such rows another one with a feature")


def _refused(is_wrong: Column, value: Column, problem: str, advice: str) -> Column:
    message = f"target: {problem}, which PostgreSQL does not take as it is; {advice}"
    return F.when(is_wrong, F.raise_error(F.lit(message)).cast("string")).otherwise(value)


def _utc_text(value: Column) -> Column:
    """Return a point in time as text that depends on no setting, to the microsecond."""
    # With years of four digits these are seconds that an interval holds.
    micros = F.unix_micros(value).cast("decimal(20,0)")
    seconds = (micros * F.lit(Decimal("0.000001"))).cast("decimal(18,6)")
    zero = F.lit(0)
    clock = F.expr("TIMESTAMP_NTZ'1970-01-01 00:00:00'")
    return F.concat(
        (clock + F.make_dt_interval(zero, zero, zero, seconds)).cast("string"), F.lit("Z")
    )


def _item(item: Column, kind: DataType, name: str) -> Column:
    """Return an element as it stands in the text of an array."""
    if isinstance(kind, BinaryType):
        text = F.concat(F.lit("\\x"), F.hex(item))
    else:
        text = _scalar(item, kind, name).cast("string")
    for char in ("\\", '"'):
        text = F.replace(text, F.lit(char), F.lit(f"\\{char}"))
    return F.concat(F.lit('"'), text, F.lit('"'))


def _received(value: Column, kind: DataType) -> Column:
    if isinstance(kind, BinaryType):
        return F.unhex(F.substring(value, 3, 2**31 - 1))
    if isinstance(kind, TimestampType):
        # The session of the database is in UTC.
        return F.regexp_replace(value, r"\+00$", "Z").cast(kind)
    return value.cast(kind)
