"""The hash of what a model reads of a row, computed in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DecimalType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

VERSION = "1"
"""How hashes begin that are made as this file does. Others tell nothing."""
_SEEDS = (0, 1)
_NESTED = (ArrayType, MapType, StructType)


def content_hash(columns: Iterable[tuple[Column, DataType]]) -> Column:
    """Return the hash of some columns' values as text, ``1:<64 bits>:<64 bits>``.

    Two rows have the same one where all values are the same: null is no other value, and neither
    an empty text or array nor an array of nulls is like another. As in SQL, 0.0 is -0.0, and every
    NaN is the same. Nothing but the values and what their types make of them counts: 12345 is
    another one than 123.45, and no setting of the session matters.
    A row is compared with what its own key had before, and with no other row: by chance, a change
    goes unseen in one case of 2^64 at the most. There are 128 bits of xxHash64, by two seeds, of
    which nobody has shown that they are independent; the second seed costs a fiftieth of what it
    takes to read and hash thirty floats. They are not made against somebody who looks for two
    values of one hash.

    Args:
        columns: The columns with their types, in an order that stays.
    """
    parts = [part for value, kind in columns for part in _parts(value, kind)]
    one, two = (F.hex(F.xxhash64(F.lit(seed), *parts)) for seed in _SEEDS)
    return F.concat(F.lit(f"{VERSION}:"), one, F.lit(":"), two)


def short_hash(columns: Iterable[tuple[Column, DataType]]) -> Column:
    """Return 64 of these bits as a number, to compare rows by that are looked at in one run."""
    return F.xxhash64(*(part for value, kind in columns for part in _parts(value, kind)))


def _parts(value: Column, kind: DataType) -> Iterator[Column]:
    """Yield what is hashed of a value, always the same number of columns that are not null.

    Spark's hash passes over nulls, and over where an array begins and ends.
    """
    if " collate " in kind.simpleString():
        kind = _as_bytes(kind)
        value = value.cast(kind)  # Texts that count as the same may be different words.
    yield value.isNull()
    if isinstance(kind, MapType):
        fields = [StructField("key", kind.keyType), StructField("value", kind.valueType)]
        kind, value = ArrayType(StructType(fields)), F.map_entries(value)
    if isinstance(kind, ArrayType):
        element = kind.elementType
        yield F.coalesce(F.size(value), F.lit(-1))
        if isinstance(element, _NESTED) or _is_variant(element):
            yield F.transform(value, lambda item: F.struct(*_parts(item, element)))
            return
        yield F.transform(value, lambda item: item.isNull())
        yield value
        yield from _unit(element)
    elif isinstance(kind, StructType):
        # A name says what a field is, and not its place.
        for field in sorted(kind.fields, key=lambda field: (field.name.lower(), field.name)):
            yield from _parts(value.getField(field.name), field.dataType)
    elif _is_variant(kind):
        yield from (F.to_json(value), F.schema_of_variant(value))
    else:
        yield value
        yield from _unit(kind)


def _unit(kind: DataType) -> Iterator[Column]:
    """Yield what the values of a type are counted in, where Spark hashes integers of that unit.

    A column of cents that becomes one of euros has the same integers, and so has a timestamp that
    becomes its microseconds.
    """
    if isinstance(kind, DecimalType) and kind.scale:
        yield F.lit(f"10^-{kind.scale}")
    elif isinstance(kind, TimestampType | TimestampNTZType):
        yield F.lit("microseconds")


def _is_variant(kind: DataType) -> bool:
    """Return whether a value tells its own type, of which Spark makes no hash."""
    return kind.simpleString() == "variant"  # Spark 3.5 has no such class.


def _as_bytes(kind: DataType) -> DataType:
    """Return a type with bytes in the place of texts."""
    if isinstance(kind, StringType):
        return BinaryType()
    if isinstance(kind, ArrayType):
        return ArrayType(_as_bytes(kind.elementType), kind.containsNull)
    if isinstance(kind, MapType):
        value = _as_bytes(kind.valueType)
        return MapType(_as_bytes(kind.keyType), value, kind.valueContainsNull)
    if isinstance(kind, StructType):
        fields = [StructField(f.name, _as_bytes(f.dataType), f.nullable) for f in kind.fields]
        return StructType(fields)
    return kind
