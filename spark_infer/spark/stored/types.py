"""Types of Spark that hold every value of a file's column.

Spark's readers refuse some of the others. Of the rest they make other values without a word: a
decimal loses its scale, an integer its upper bits, a text that is no number becomes null.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
    YearMonthIntervalType,
)

from spark_infer.spark.names import Names
from spark_infer.tensors.arrow.types import is_binary, is_list, is_string

_BITS: dict[type[DataType], int] = {ByteType: 8, ShortType: 16, IntegerType: 32, LongType: 64}
"""Of Spark's integers, which have a sign."""
_MANTISSA: dict[type[DataType], int] = {FloatType: 24, DoubleType: 53}
"""Bits of an integer that a floating-point number holds without loss."""
Misfit = tuple[str, DataType, pa.DataType]
"""The path of a value within its column, Spark's type and the file's."""


@dataclass(frozen=True)
class Fit:
    """How columns of files are compared with Spark's.

    Attributes:
        form: Of the files: ``parquet``, whose reader refuses most types that differ, or ``orc``,
            whose reader converts them.
        names: Tells which field of a struct is which.
    """

    form: str
    names: Names

    def misfits(self, kind: DataType, there: pa.DataType, path: str) -> Iterator[Misfit]:
        """Yield what of a column Spark may read as another value than the file holds.

        Args:
            kind: What Spark takes the column for.
            there: What the file holds, as Arrow describes it.
            path: Of the column.
        """
        there = _plain(there)
        if pat.is_null(there):
            return
        if isinstance(kind, ArrayType) and is_list(there):
            yield from self.misfits(kind.elementType, there.value_type, path)
        elif isinstance(kind, MapType) and pat.is_map(there):
            yield from self.misfits(kind.keyType, there.key_type, path)
            yield from self.misfits(kind.valueType, there.item_type, path)
        elif isinstance(kind, StructType) and pat.is_struct(there):
            inside = {there.field(at).name: there.field(at).type for at in range(there.num_fields)}
            for field in kind.fields:
                for name in self.names.find(field.name, inside)[:1]:
                    yield from self.misfits(field.dataType, inside[name], f"{path}.{field.name}")
        elif not (_holds(kind, there) or self._is_read_so(kind, there)):
            yield path, kind, there

    def _is_read_so(self, kind: DataType, there: pa.DataType) -> bool:
        """Tell what differs, and is read as its writer or the operator means it."""
        if self.form == "orc":  # So Spark writes timestamps without a zone.
            return isinstance(kind, TimestampNTZType) and pat.is_int64(there)
        if isinstance(kind, StringType):
            return _is_bytes(there)
        if isinstance(kind, TimestampNTZType):
            return bool(pat.is_date(there))
        # What Spark has no type for, or none by its settings.
        is_count = pat.is_time(there) or (pat.is_timestamp(there) and there.unit == "ns")
        return isinstance(kind, LongType) and bool(is_count)


def _holds(kind: DataType, there: pa.DataType) -> bool:
    """Return whether each value of a file's type is one of Spark's type, and is read as that."""
    if isinstance(kind, DecimalType):
        return _holds_as_decimal(kind, there)
    if isinstance(kind, ByteType | ShortType | IntegerType | LongType):
        return bool(pat.is_integer(there)) and _num_bits(there) < _BITS[type(kind)]
    if isinstance(kind, FloatType | DoubleType):
        if pat.is_integer(there):  # Those of 32 bits without a sign get one here.
            is_misread = bool(pat.is_uint32(there))
            return not is_misread and _num_bits(there) <= _MANTISSA[type(kind)]
        widest = 32 if isinstance(kind, FloatType) else 64
        return bool(pat.is_floating(there)) and int(there.bit_width) <= widest
    if isinstance(kind, StringType):
        return is_string(there)
    if isinstance(kind, BinaryType):
        return is_string(there) or _is_bytes(there)
    if isinstance(kind, BooleanType):
        return bool(pat.is_boolean(there))
    if isinstance(kind, DateType):
        return bool(pat.is_date(there))
    if isinstance(kind, TimestampType | TimestampNTZType):
        return bool(pat.is_timestamp(there))
    if isinstance(kind, DayTimeIntervalType | YearMonthIntervalType):
        # So Spark writes them: as microseconds, and as months.
        bits = 64 if isinstance(kind, DayTimeIntervalType) else 32
        return bool(pat.is_signed_integer(there)) and there.bit_width == bits
    # Lists, maps and structs are no others. Types that Arrow does not know are Spark's alone.
    return not isinstance(kind, ArrayType | MapType | StructType)


def _holds_as_decimal(kind: DecimalType, there: pa.DataType) -> bool:
    digits = kind.precision - kind.scale
    if pat.is_decimal(there):
        return digits >= int(there.precision - there.scale) and kind.scale >= int(there.scale)
    # Of unsigned integers Spark knows one way: those of 64 bits are DECIMAL(20, 0).
    if pat.is_unsigned_integer(there) and there.bit_width == 64:
        return (kind.precision, kind.scale) == (20, 0)
    return bool(pat.is_signed_integer(there)) and len(str(2 ** _num_bits(there))) <= digits


def _num_bits(there: pa.DataType) -> int:
    """Return how many bits the largest number takes."""
    return int(there.bit_width) - (1 if pat.is_signed_integer(there) else 0)


def _plain(there: pa.DataType) -> pa.DataType:
    """Return the type of the values as they are stored, without what Arrow notes about them."""
    if isinstance(there, pa.BaseExtensionType):
        return _plain(there.storage_type)
    if pat.is_dictionary(there):
        return _plain(there.value_type)
    return pa.int64() if pat.is_duration(there) else there


def _is_bytes(there: pa.DataType) -> bool:
    return is_binary(there) or bool(pat.is_fixed_size_binary(there))
