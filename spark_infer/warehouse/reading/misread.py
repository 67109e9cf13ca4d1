"""Types of which Spark's readers of text make other values, and types that keep what is there.

Spark drops the commas in a decimal (15 of 1,5) and in a floating-point number of XML, takes the
beginning of the latter for the whole (12 of "12 apples"), and makes -56 of 200 for a TINYINT of
JSON. Read as another type and cast here, what is no such value is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql.types import (
    ArrayType,
    ByteType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
)

from spark_infer.spark.wire.casts import literal
from spark_infer.spark.wire.source import field_of

_KEPT_AS: dict[str, dict[type[DataType], DataType]] = {
    "csv": {DecimalType: StringType()},
    "json": {DecimalType: StringType(), ByteType: ShortType()},
    "xml": {DecimalType: StringType(), DoubleType: StringType(), FloatType: StringType()},
}
_REASONS: dict[type[DataType], str] = {
    ByteType: "Spark makes -56 of 200",
    DecimalType: "Spark drops a comma in a file of text (1,5 is 15)",
    DoubleType: "Spark drops a comma in a file of XML (1,5 is 15)",
    FloatType: "Spark drops a comma in a file of XML (1,5 is 15)",
}
_MOST_DIGITS = 15
"""Digits of a decimal number that a double gives back, whatever they are."""
_WRONG = (
    "); correct it or the columns' types, or set the reader's option mode to PERMISSIVE to read it "
    "as Spark does"
)
_ROUNDED = (
    f", which this Spark may have rounded, as all numbers of JSON with a fraction and more than "
    f"{_MOST_DIGITS} digits); use Spark 4, or set the reader's option mode to FAILFAST, with which "
    "Spark reads decimals itself and drops the commas in texts"
)


@dataclass(frozen=True)
class Misread:
    """How the columns of files of text are read such that each value is the file's or an error.

    Attributes:
        form: ``csv``, ``json`` or ``xml``.
        keeps_digits: Whether Spark hands over a number of JSON as text as it stands there, and not
            the nearest double.
        file: SQL for the file of a row, for the message where a value is none of its type.
    """

    form: str
    keeps_digits: bool = True
    file: str = "'a file'"

    def reason(self, kind: DataType) -> str | None:
        """Say what Spark makes of values of a type, and of which; None where it reads them."""
        for inner in _leaves(kind):
            if type(inner) in _KEPT_AS[self.form]:
                verb = "is" if inner is kind else "holds"
                return f"{verb} {inner.simpleString().upper()}, of which {_REASONS[type(inner)]}"
        return None

    def kept_as(self, kind: DataType) -> DataType:
        """Return the type as which values are read."""
        if isinstance(kind, ArrayType):
            return ArrayType(self.kept_as(kind.elementType), kind.containsNull)
        if isinstance(kind, MapType):
            return MapType(kind.keyType, self.kept_as(kind.valueType), kind.valueContainsNull)
        if isinstance(kind, StructType):
            return StructType([StructField(f.name, self.kept_as(f.dataType)) for f in kind])
        return _KEPT_AS[self.form].get(type(kind), kind)

    def restored(self, text: str, kind: DataType, name: str) -> str:
        """Return SQL that makes values of a type of what was read for them.

        Args:
            text: SQL for what was read.
            kind: The type.
            name: The column, for the message where a value is none of the type.
        """
        return self._restored(text, kind, f"column {name!r} is", 0)

    def _restored(self, text: str, kind: DataType, said: str, depth: int) -> str:
        if self.reason(kind) is None:
            return text
        said = f"{said.removesuffix(' is').removesuffix(' holds')} {'holds' if depth else 'is'}"
        key, value = f"k{depth}", f"v{depth}"
        if isinstance(kind, ArrayType):
            inner = self._restored(value, kind.elementType, said, depth + 1)
            return f"transform({text}, {value} -> {inner})"
        if isinstance(kind, MapType):
            inner = self._restored(value, kind.valueType, said, depth + 1)
            return f"transform_values({text}, ({key}, {value}) -> {inner})"
        if isinstance(kind, StructType):
            fields = ", ".join(
                f"{literal(field.name)}, "
                f"{self._restored(field_of(text, field.name), field.dataType, said, depth + 1)}"
                for field in kind
            )
            return f"IF({text} IS NULL, NULL, named_struct({fields}))"
        return self._value(text, kind, f"({said} {kind.simpleString()}, and a file has ")

    def _value(self, text: str, kind: DataType, said: str) -> str:
        wrong = self._error(kind, said, text, _WRONG)
        if isinstance(kind, ByteType):
            fits = f"{text} IS NULL OR {text} BETWEEN -128 AND 127"
            return f"IF({fits}, CAST({text} AS TINYINT), {wrong})"
        is_null = f"{text} IS NULL"
        if self.form == "xml":  # An element without content.
            is_null = f"{is_null} OR trim({text}) = ''"
        value = f"coalesce(try_cast({text} AS {kind.simpleString()}), {wrong})"
        if self.form == "json" and not self.keeps_digits:
            rounded = self._error(kind, said, text, _ROUNDED)
            value = f"IF({_may_be_rounded(text)}, {rounded}, {value})"
        return f"IF({is_null}, NULL, {value})"

    def _error(self, kind: DataType, said: str, text: str, rest: str) -> str:
        before = literal(f" holds a record that cannot be read as its columns say {said}")
        message = f"concat({self.file}, {before}, CAST({text} AS STRING), {literal(rest)})"
        return f"CAST(raise_error({message}) AS {kind.simpleString()})"


def _leaves(kind: DataType) -> Iterator[DataType]:
    if isinstance(kind, ArrayType):
        yield from _leaves(kind.elementType)
    elif isinstance(kind, MapType):
        yield from _leaves(kind.valueType)
    elif isinstance(kind, StructType):
        for field in kind:
            yield from _leaves(field.dataType)
    else:
        yield kind


def _may_be_rounded(text: str) -> str:
    """Return SQL for whether a number is written as a double is, with all digits that it has."""
    digits = f"ltrim('0', regexp_replace({text}, '[eE].*|[^0-9]', ''))"
    return f"{text} RLIKE '[.eE]' AND length({digits}) > {_MOST_DIGITS}"
