"""Which features could read the time of the run, by Spark's own reading of them.

Spark turns ``now``, ``today`` and the like into dates and timestamps where it knows the text before
it reads a row. A row's own text is never read so, but a time without a date (``12:30``) is one of
the day of the run, in whatever text it stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import DataFrame

from spark_infer.bundle.features import CONVERT_TIMES, MAKE_TEXT, Refused, is_time_of_day
from spark_infer.spark.features.parsed import Parsed

_NAMES = ("UnresolvedAttribute", "UnresolvedNamedLambdaVariable")
_PARSED_BY_SPARK = ("date", "timestamp", "timestamp_ntz", "binary")


def is_typed(node: Parsed) -> bool:
    """Return whether a node is ``DATE '...'`` or the like, whose text Spark's parser has read."""
    return node.kind == "Literal" and node.type in _PARSED_BY_SPARK


def check_time_of_day(node: Parsed) -> None:
    """Refuse a text without a date that is converted to a timestamp."""
    is_cast = node.kind == "Cast" and "timestamp" in node.type
    if is_cast or (node.kind == "UnresolvedFunction" and node.text.lower() in CONVERT_TIMES):
        for child in node.children:
            if child.kind == "Literal" and is_time_of_day(child.text):
                raise Refused(f"{child.text!r} without a date is a time on the day of the run")


def check_computed_text(node: Parsed) -> None:
    """Refuse a text that is computed from no column.

    This is for features whose columns, and so their types, are not known: each text could be
    compared with a date.
    """
    is_call = node.kind == "UnresolvedFunction" and node.text.lower() in MAKE_TEXT
    if (is_call or node.kind == "Concat") and not any(_names(node)):
        raise Refused(
            f"{node.text or '||'} makes a text of no column, which could be the time of the run; "
            "write the text itself, or use predict, which knows the columns"
        )


def _names(root: Parsed) -> Iterator[bool]:
    """Yield true for each name below, but for those whose type alone is asked."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.kind in _NAMES:
            yield True
        elif node.text.lower() != "typeof":
            pending.extend(node.children)


def reads_moment(df: DataFrame) -> bool:
    """Return whether Spark would put the time of the run into a DataFrame's plan for a text."""
    # Two steps of its optimizer, as they follow each other there.
    rules = df.sparkSession._jvm.org.apache.spark.sql.catalyst.optimizer  # type: ignore[union-attr]
    plan = rules.ReplaceExpressions.apply(df._jdf.queryExecution().analyzed())
    return not rules.SpecialDatetimeValues.apply(plan).fastEquals(plan)
