"""Nulls that survive pandas: the values without them, and beside them a mask.

Spark hands a pandas function NaN for both NaN and null, and floats for integers beside a null. So
the JVM sends marks for each row that has one: of scalar columns a text of 0 and 1, of an array
column booleans in arrays. Where pandas would change the other values, 0 stands for the null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.bundle import Input
from spark_infer.spark.wire.column import WireColumn

_FLOATS = ("float", "double")
_AS_TEXT = "array_join(transform({values}, e -> IF(e IS NULL, '1', '0')), '')"
"""Marks as text: Spark takes microseconds for each row to hand an array to pandas, even a null."""


def need_mask(item: Input) -> bool:
    """Tell whether pandas would lose nulls of the input's elements: it has them in objects."""
    return item.takes not in ("string", "binary")


def filled(elements: Sequence[str], sources: Sequence[str], kind: str) -> WireColumn:
    """Return an array of SQL elements, and the mask, given what each is computed from."""
    holds_null = " OR ".join(f"({source}) IS NULL" for source in sources)
    # Floats need no 0: their nulls arrive as NaN, and the mask says which were none. The mask is
    # made of the array, not of the sources: twice as much code for each row is not compiled.
    values = f"array({', '.join(elements)})"
    mask = f"CASE WHEN {holds_null} THEN {_AS_TEXT.format(values=values)} END"
    if kind not in _FLOATS:
        values = f"array({', '.join(f'coalesce({e}, CAST(0 AS {kind}))' for e in elements)})"
    return WireColumn(F.expr(values), F.expr(mask))


def marked(column: Column, kind: str) -> WireColumn:
    """Return an array column without nulls in its elements, and the mask as text."""
    some = _some_null(column, 1)
    marks = F.transform(column, lambda e: F.when(e.isNull(), "1").otherwise("0"))
    values = F.transform(column, lambda e: F.coalesce(e, F.lit(0).cast(kind)))
    return WireColumn(F.when(some, values).otherwise(column), F.when(some, F.array_join(marks, "")))


def once(column: Column, apart: Callable[[Column], WireColumn]) -> WireColumn:
    """Return what ``apart`` makes of a column as one struct, for which it is computed once.

    Apart, each mention of ``rand()``, or of a user's function that draws, is another draw.
    """

    def pair(value: Column) -> Column:
        both = apart(value)
        assert both.mask is not None
        return F.struct(both.values.alias("values"), both.mask.alias("mask"))

    return WireColumn(F.transform(F.array(column), pair).getItem(0), is_pair=True)


def split(column: Column, depth: int, kind: str) -> WireColumn:
    """Return an array column of a depth without nulls in its elements, and the mask."""
    some = _some_null(column, depth)
    zero = F.lit(0).cast(kind)
    values = F.when(some, mapped(column, depth, lambda value: F.coalesce(value, zero)))
    mask = F.when(some, mapped(column, depth, lambda value: value.isNull()))
    return WireColumn(values.otherwise(column), mask)


def _some_null(column: Column, depth: int) -> Column:
    """Return whether an element is null; false for a null array, which pandas has as None."""
    if depth == 0:
        return column.isNull()
    found = F.exists(column, lambda value: _some_null(value, depth - 1))
    return F.coalesce(found, F.lit(False))


def mapped(column: Column, depth: int, function: Callable[[Column], Column]) -> Column:
    """Return an array column of a depth with a function of each element in its place."""
    if depth == 0:
        return function(column)
    return F.transform(column, lambda value: mapped(value, depth - 1, function))
