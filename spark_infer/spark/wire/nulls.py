"""Nulls that survive pandas: the values without them, and beside them a mask.

Spark hands a pandas function NaN for both NaN and null, and floats for integers beside a null. So
the JVM sends 0 for a null, and an array of booleans for each row that has one: true where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.bundle import Input

_FLOATS = ("float", "double")


class Sent(NamedTuple):
    """A column on the wire, and the mask of its nulls where there is one."""

    values: Column
    mask: Column | None = None


def need_mask(item: Input) -> bool:
    """Tell whether pandas would lose nulls of the input's elements: it has them in strings."""
    return item.vocabulary is None or not isinstance(item.vocabulary[0], str)


def filled(elements: Sequence[str], sources: Sequence[str], kind: str) -> Sent:
    """Return an array of SQL elements, and the mask, given what each is computed from."""
    holds_null = " OR ".join(f"({source}) IS NULL" for source in sources)
    # Floats need no 0: their nulls arrive as NaN, and the mask says which were none. The mask is
    # made of the array, not of the sources: twice as much code for each row is not compiled.
    values = f"array({', '.join(elements)})"
    mask = f"CASE WHEN {holds_null} THEN transform({values}, e -> e IS NULL) END"
    if kind not in _FLOATS:
        values = f"array({', '.join(f'coalesce({e}, CAST(0 AS {kind}))' for e in elements)})"
    return Sent(F.expr(values), F.expr(mask))


def split(column: Column, depth: int, kind: str) -> Sent:
    """Return an array column of a depth without nulls in its elements, and the mask."""
    some = _some_null(column, depth)
    zero = F.lit(0).cast(kind)
    values = F.when(some, _mapped(column, depth, lambda value: F.coalesce(value, zero)))
    mask = F.when(some, _mapped(column, depth, lambda value: value.isNull()))
    return Sent(values.otherwise(column), mask)


def _some_null(column: Column, depth: int) -> Column:
    """Return whether an element is null; false for a null array, which pandas has as None."""
    if depth == 0:
        return column.isNull()
    found = F.exists(column, lambda value: _some_null(value, depth - 1))
    return F.coalesce(found, F.lit(False))


def _mapped(column: Column, depth: int, function: Callable[[Column], Column]) -> Column:
    if depth == 0:
        return function(column)
    return F.transform(column, lambda value: _mapped(value, depth - 1, function))
