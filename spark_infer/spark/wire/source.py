"""Source columns: SQL text, or Spark columns whose types nobody knows yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pyspark
from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.spark.wire.casts import literal

Source = Column | str
_PLAIN = re.compile(r"`\w+`", re.ASCII)
"""A quoted name that Spark reads as it stands. In any other it may put a setting's value in the
place of ``${...}``, or take the name for a pattern of names (``quotedRegexColumnNames``)."""

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
    # Not tree.sql(), which quotes a part with a dot only.
    parts = tree.nameParts()
    return _written(".".join(quoted(parts.apply(at)) for at in range(parts.size())))


def quoted(name: str) -> str:
    """Quote a name for ``F.col``, which may hold dots and spaces. In SQL text use ``by_name``."""
    return "`" + name.replace("`", "``") + "`"


def by_name(name: str, *within: str) -> str:
    """Return SQL text for a column of this name, which costs fewer calls than a Spark column.

    Args:
        name: The name.
        within: What the column is one of, such as a table; outermost first.
    """
    return _written(".".join(map(quoted, (*within, name))))


def field_of(text: str, name: str) -> str:
    """Return SQL text for a field of a struct."""
    return f"{text}[{literal(name)}]"


def _written(name: str) -> str:
    """Return a quoted name such that Spark reads it as it is."""
    return name if _PLAIN.fullmatch(name) else f"IDENTIFIER({literal(name)})"


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
