"""Source columns: SQL text, or Spark columns whose types nobody knows yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyspark
from pyspark.sql import Column
from pyspark.sql import functions as F

Source = Column | str
_VARIABLE = "${"
"""Spark puts a setting's value in the place of what begins so in SQL text."""

SPARK_4 = int(pyspark.__version__.split(".")[0]) >= 4


def as_column(source: Source) -> Column:
    """Return the Spark column of a source column."""
    return F.expr(source) if isinstance(source, str) else source


def as_text(source: Source) -> Source:
    """Return SQL text for a column that is nothing but a name, and any other as it is."""
    if isinstance(source, str):
        return source
    column: Any = source._jc
    tree = column.node() if SPARK_4 else column.expr()
    if tree.getClass().getSimpleName() != "UnresolvedAttribute":
        return source
    if SPARK_4 and tree.planId().isDefined():
        return source
    name: str = tree.sql()
    return source if _VARIABLE in name else name


def quoted(name: str) -> str:
    """Quote a column name, which may hold dots and spaces."""
    return "`" + name.replace("`", "``") + "`"


def by_name(name: str) -> Source:
    """Return a column as SQL text, which costs fewer calls, where Spark reads it as it is."""
    return F.col(quoted(name)) if _VARIABLE in name else quoted(name)


def with_texts(sources: Sequence[Source], make: Callable[[Sequence[str]], str]) -> Column:
    """Return the column of SQL text that is made of the texts of sources.

    A Spark column has no text. It becomes one as the variable of a lambda function, which costs
    a call for each row. Spark 3.5 looks for the variable among the columns.
    """
    texts = [source for source in sources if isinstance(source, str)]
    if len(texts) == len(sources):
        return F.expr(make(texts))
    assert SPARK_4
    fields = [as_column(source).alias(f"c{index}") for index, source in enumerate(sources)]
    body = make([f"row.c{index}" for index in range(len(fields))])
    given = F.array(F.struct(*fields))
    return F.call_function("transform", given, F.expr(f"row -> {body}")).getItem(0)
