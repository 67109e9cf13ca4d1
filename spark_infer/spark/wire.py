"""The columns that go to Python: scalar features are packed into one array in the JVM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pyspark
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DateType, DecimalType, TimestampNTZType, TimestampType

from spark_infer.bundle import Input, RaggedInput, ScalarInput, Signature
from spark_infer.spark.pandas_bridge import holds_null

_SPARK_TYPES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
}
_INTEGERS = ("boolean", "tinyint", "smallint", "int", "bigint")

Source = Column | str


@dataclass(frozen=True)
class Wire:
    """What travels from the JVM to a predictor.

    Attributes:
        signature: What the predictor reads from the columns.
        columns: One for each of the predictor's columns, in order; then the null flag, if any.
        packed: Names of the scalar inputs that travel as one array.
        has_null_flag: Whether the last column says which rows hold a null, by 1 or 0.
    """

    signature: Signature
    columns: tuple[Column, ...]
    packed: frozenset[str]
    has_null_flag: bool = False

    @classmethod
    def as_given(cls, signature: Signature) -> Wire:
        """Lay out the arguments of a SQL function, which arrive as the caller wrote them."""
        return cls(signature, (), frozenset())

    @classmethod
    def build(
        cls,
        signature: Signature,
        columns: Mapping[str, Source],
        types: Mapping[str, DataType] | None = None,
        *,
        exact_nulls: bool = False,
    ) -> Wire:
        """Lay out the columns of a signature.

        Args:
            signature: What the model reads.
            columns: Each source column, as a Spark column or as SQL text. Text is built in one
                call to the JVM where columns take several calls for each.
            types: Their types where known. Unknown types are guarded by an expression that fails
                when the query starts, and that the optimizer removes when they are right.
            exact_nulls: Add the null flag that a pandas function needs, and send structs as
                arrays, which survive pandas.
        """
        inputs: list[Input] = []
        wire: list[Column] = []
        nullable: list[tuple[Input, list[Source]]] = []
        packed = set()
        for item in signature.inputs:
            sources = [as_column(columns[name]) for name in item.column_names]
            given = _sources(item, columns)
            if isinstance(item, ScalarInput) and _can_pack(item, exact_nulls):
                sources = [_pack(item, columns, types)]
                packed.add(item.name)
            elif isinstance(item, RaggedInput) and item.fields and exact_nulls:
                sources = [_structs_as_arrays(item, sources[0])]
                item = dataclasses.replace(item, fields=(), shape=(len(item.fields),))
                given = [*sources]
            inputs.append(item)
            nullable.append((item, given))
            wire.extend(sources)
        if exact_nulls:
            wire.append(holds_null(nullable).cast("tinyint"))
        travels = dataclasses.replace(signature, inputs=inputs)
        return cls(travels, tuple(wire), frozenset(packed), exact_nulls)

    def arguments(self) -> list[Column]:
        """Return the columns as arguments of a scalar Python function."""
        found = list(self.columns)
        start = 0
        for item in self.signature.inputs:
            if item.name in self.packed:
                empty = F.array().cast(f"array<{_SPARK_TYPES[item.dtype]}>")
                found[start] = _computed_below(found[start], never=empty)
                start += 1
            else:
                start += len(item.column_names)
        if self.has_null_flag:
            found[-1] = _computed_below(found[-1], never=F.lit(2).cast("tinyint"))
        return found


def _computed_below(column: Column, *, never: Column) -> Column:
    """Return the column such that Spark computes it in a projection below a Python function.

    There whole-stage code generation computes it, and its source columns need not pass through
    the function's operator. As a plain argument that operator computes it: over a Parquet scan
    of thirty floats the query takes half as long again (Spark 4.3). Spark 4 moves an expression
    that ``nullif`` repeats into such a projection; Spark 3.5 would compute it twice.

    Args:
        column: What to compute.
        never: A value of its type that it cannot have, so that ``nullif`` changes nothing.
    """
    major = int(pyspark.__version__.split(".")[0])
    return F.nullif(column, never) if major >= 4 else column


def _sources(item: Input, columns: Mapping[str, Source]) -> list[Source]:
    found = [columns[name] for name in item.column_names]
    return found if isinstance(item, ScalarInput) else [as_column(source) for source in found]


def as_column(source: Source) -> Column:
    """Return the Spark column of a source column."""
    return F.expr(source) if isinstance(source, str) else source


def quoted(name: str) -> str:
    """Quote a column name, which may hold dots and spaces."""
    return "`" + name.replace("`", "``") + "`"


def _can_pack(item: ScalarInput, always: bool) -> bool:
    if item.vocabulary is not None or item.dtype not in _SPARK_TYPES:
        return False
    return always or len(item.columns) > 1


def _pack(
    item: ScalarInput, columns: Mapping[str, Source], types: Mapping[str, DataType] | None
) -> Column:
    target = _SPARK_TYPES[item.dtype]
    names = item.column_names
    if types is not None:
        return F.array(*(_cast(as_column(columns[name]), types[name], target) for name in names))
    texts = [text for name in names if isinstance(text := columns[name], str)]
    if len(texts) == len(names):
        guarded = (_guarded_sql(item, *pair, target) for pair in zip(names, texts, strict=True))
        return F.expr(f"array({', '.join(guarded)})")
    return F.array(*(_guarded(item, name, as_column(columns[name]), target) for name in names))


def _structs_as_arrays(item: RaggedInput, column: Column) -> Column:
    target = _SPARK_TYPES[item.dtype]
    return F.transform(
        column, lambda value: F.array(*(value[name].cast(target) for name in item.fields))
    )


def _cast(column: Column, kind: DataType, target: str) -> Column:
    """Cast by the rules of ``tensors.arrow.types``; the types were checked before."""
    if isinstance(kind, DateType):
        column = F.unix_date(column)
    elif isinstance(kind, TimestampType) and target in ("float", "double"):
        column = F.unix_micros(column) / F.lit(1_000_000.0)
    elif isinstance(kind, TimestampType):
        column = F.unix_seconds(column)
    elif isinstance(kind, TimestampNTZType):
        column = _seconds_without_zone(column, whole=target == "bigint")
    elif isinstance(kind, DecimalType):
        column = column.cast("double")
    return column.cast(target)


def _guarded(item: Input, name: str, column: Column, target: str) -> Column:
    kind = F.typeof(column)
    message = F.concat(F.lit(_message(item, name)), kind)
    refused = F.raise_error(message).cast(target)
    return F.when(kind.rlike(_fitting(target)), column.cast(target)).otherwise(refused)


def _guarded_sql(item: Input, name: str, text: str, target: str) -> str:
    message = _message(item, name).replace("\\", "\\\\").replace("'", "\\'")
    refused = f"CAST(raise_error(concat('{message}', typeof({text}))) AS {target})"
    return (
        f"CASE WHEN typeof({text}) RLIKE '{_fitting(target)}' "
        f"THEN CAST({text} AS {target}) ELSE {refused} END"
    )


def _fitting(target: str) -> str:
    """Return a pattern of the types that a cast to ``target`` reads as a tensor's values are."""
    if target in ("float", "double"):
        return f"^({'|'.join(_INTEGERS)}|float|double|decimal.*)$"
    return f"^({'|'.join(_INTEGERS[: _INTEGERS.index(target) + 1])})$"


def _message(item: Input, name: str) -> str:
    return f"column {name!r} (input {item.name!r}) does not fit a tensor of {item.dtype}, cast it: "


def _seconds_without_zone(column: Column, *, whole: bool) -> Column:
    """Count a zoneless timestamp as UTC, which a cast would read in session time."""
    day = F.unix_date(F.to_date(column)).cast("bigint") * 86_400
    minutes = F.hour(column) * 60 + F.minute(column)
    second = F.second(column) if whole else F.extract(F.lit("SECOND"), column).cast("double")
    return day + minutes * 60 + second
