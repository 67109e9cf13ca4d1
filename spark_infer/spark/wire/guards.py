"""Columns of unknown types on Spark 3.5, where no name of a function is chosen in a lambda.

They are cast if they are numbers, which every cast takes. Anything else fails with the table's
sentence when the query starts, or with Spark's own when Spark knows no such cast at all.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.bundle import Input, RaggedInput
from spark_infer.spark.wire.casts import held_range, refusal_parts, wire_type
from spark_infer.spark.wire.nulls import mapped
from spark_infer.tensors.arrow.casts import TABLE, Rule, rule_of

_CAST = (Rule.NULL, Rule.NUMBER, Rule.IN_RANGE, Rule.DECIMAL, Rule.WORD, Rule.TRANSFORM)


def guarded(item: Input, name: str, column: Column) -> Column:
    """Return a scalar column as an element of the input."""
    fits = _kind(column).isin(_kinds(item))
    return F.when(fits, _cast(item, column)).otherwise(
        _refused(column, item, name).cast(wire_type(item))
    )


def guarded_array(item: Input, name: str, column: Column, levels: int) -> Column:
    """Return an array column of ``levels`` levels with its elements cast; structs as arrays."""
    target = _array_of(wire_type(item), levels)
    if isinstance(item, RaggedInput) and item.fields:
        first = F.get(column, F.lit(0))
        fits = F.lit(True)
        for field in item.fields:
            fits &= _kind(first[field]).isin(_kinds(item))
        cast = F.transform(
            column,
            lambda value: F.array(*(_cast(item, value[field]) for field in item.fields)),
        )
    else:
        kinds = "|".join(_kinds(item))
        pattern = "array<" * levels + f"({kinds})([(][0-9,]+[)])?" + ">" * levels
        fits = F.typeof(column).rlike(f"^(void|{'array<' * levels}void{'>' * levels}|{pattern})$")
        cast = column.cast(_array_of("bigint" if _is_limited(item) else wire_type(item), levels))
        if _is_limited(item):
            cast = mapped(cast, levels, lambda value: _cast(item, value))
    return F.when(fits, cast).otherwise(_refused(column, item, name).cast(target))


def _array_of(kind: str, levels: int) -> str:
    return "array<" * levels + kind + ">" * levels


def _is_limited(item: Input) -> bool:
    """Return whether there are integers that the input's tensor does not hold."""
    return Rule.IN_RANGE in (rule_of(kind, item) for kind in ("smallint", "int", "bigint"))


def _cast(item: Input, column: Column) -> Column:
    if not _is_limited(item):
        return column.cast(wire_type(item))
    number = column.cast("bigint")
    least, most = held_range(item)
    held = number.isNull() | number.between(least, most)
    return F.when(held, number).otherwise(F.lit(most + 1)).cast(wire_type(item))


def _kinds(item: Input) -> list[str]:
    """Return the kinds of columns that a plain cast makes elements of."""
    return [kind for kind in ("string", "binary", *TABLE) if rule_of(kind, item) in _CAST]


def _kind(column: Column) -> Column:
    return F.substring_index(F.typeof(column), "(", 1)


def _refused(column: Column, item: Input, name: str) -> Column:
    before, after, others = refusal_parts(item, name)
    kind = F.typeof(column)
    rest = F.lit(after)
    for other, its_rest in others.items():
        rest = F.when(kind.startswith(other), F.lit(its_rest)).otherwise(rest)
    return F.raise_error(F.concat(F.lit(before), kind, rest))
