"""Columns of unknown types on Spark 3.5, where no name of a function is chosen in a lambda.

They are cast if they are numbers, which every cast takes. Anything else fails with the table's
sentence when the query starts, or with Spark's own when Spark knows no such cast at all.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.bundle import Input, RaggedInput
from spark_infer.spark.wire.casts import refusal_parts, sql_type
from spark_infer.tensors.arrow.casts import TABLE, Rule, rule_of

_CAST = (Rule.NULL, Rule.NUMBER, Rule.DECIMAL, Rule.WORD)


def guarded(item: Input, name: str, column: Column) -> Column:
    """Return a scalar column as an element of the input."""
    fits = _kind(column).isin(_kinds(item))
    return F.when(fits, column.cast(sql_type(item))).otherwise(
        _refused(column, item, name).cast(sql_type(item))
    )


def guarded_array(item: Input, name: str, column: Column, levels: int) -> Column:
    """Return an array column of ``levels`` levels with its elements cast; structs as arrays."""
    target = "array<" * levels + sql_type(item) + ">" * levels
    if isinstance(item, RaggedInput) and item.fields:
        first = F.get(column, F.lit(0))
        fits = F.lit(True)
        for field in item.fields:
            fits &= _kind(first[field]).isin(_kinds(item))
        cast = F.transform(
            column,
            lambda value: F.array(*(value[field].cast(sql_type(item)) for field in item.fields)),
        )
    else:
        kinds = "|".join(_kinds(item))
        pattern = "array<" * levels + f"({kinds})([(][0-9,]+[)])?" + ">" * levels
        fits = F.typeof(column).rlike(f"^(void|{'array<' * levels}void{'>' * levels}|{pattern})$")
        cast = column.cast(target)
    return F.when(fits, cast).otherwise(_refused(column, item, name).cast(target))


def _kinds(item: Input) -> list[str]:
    """Return the kinds of columns that a plain cast makes elements of."""
    return [kind for kind in ("string", *TABLE) if rule_of(kind, item) in _CAST]


def _kind(column: Column) -> Column:
    return F.substring_index(F.typeof(column), "(", 1)


def _refused(column: Column, item: Input, name: str) -> Column:
    before, after, of_string = refusal_parts(item, name)
    kind = F.typeof(column)
    message = F.concat(F.lit(before), kind, F.lit(after))
    return F.raise_error(F.when(kind == "string", F.lit(of_string)).otherwise(message))
