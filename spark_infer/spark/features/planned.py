"""The time of the run in Spark's plan of features, where the types of columns are known."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from spark_infer.bundle.features import is_time_of_day
from spark_infer.spark.plans import below, items, kind_of

_CASTS = ("Cast", "AnsiCast", "TryCast")


def reads_moment(df: DataFrame) -> bool:
    """Return whether Spark would put the time of the run into a DataFrame's plan for a text."""
    # Two steps of its optimizer, as they follow each other there.
    rules = df.sparkSession._jvm.org.apache.spark.sql.catalyst.optimizer  # type: ignore[union-attr]
    plan = rules.ReplaceExpressions.apply(df._jdf.queryExecution().analyzed())
    return not rules.SpecialDatetimeValues.apply(plan).fastEquals(plan)


def converts_text(df: DataFrame) -> bool:
    """Return whether a DataFrame's plan makes a date or timestamp of a text that no row gives.

    That is a text with a time of day in it, or one that is computed from no column. Where the
    plan has windows, whose texts come out as columns, any text counts. This takes several calls to
    the JVM for each node.
    """
    plans = [df._jdf.queryExecution().analyzed()]
    for plan in plans:
        plans.extend(items(plan.children()))
    has_window = any(plan.nodeName() == "Window" for plan in plans)
    roots = [root for plan in plans for root in items(plan.expressions())]
    return any(_converts(root, any_text=has_window) for root in roots)


def _converts(root: Any, *, any_text: bool) -> bool:
    pending: list[tuple[Any, Any, bool]] = [(root, None, False)]
    while pending:
        node, around, has_row = pending.pop()
        children = list(items(node.children()))
        if kind_of(node) in _CASTS and _is_of_text(node, children[0]):
            is_computed = kind_of(children[0]) != "Literal"
            of_row = has_row or _reads_column(children[0])
            is_timestamp = "timestamp" in node.dataType().simpleString()
            if any_text or (is_computed and not of_row):
                return True
            if is_timestamp and _holds_time(children[0] if around is None else around):
                return True
        # The variables of a lambda function hold what the function around it is given.
        given = [child for child in children if kind_of(child) != "LambdaFunction"]
        if len(given) < len(children):
            around = node if around is None else around
            has_row = has_row or any(map(_reads_column, given))
        pending.extend((child, around, has_row) for child in children)
    return False


def _is_of_text(cast: Any, child: Any) -> bool:
    target = cast.dataType().simpleString()
    return (
        "date" in target or "timestamp" in target
    ) and "string" in child.dataType().simpleString()


def _holds_time(root: Any) -> bool:
    return any(
        kind_of(node) == "Literal" and is_time_of_day(str(node.toString())) for node in below(root)
    )


def _reads_column(root: Any) -> bool:
    """Return whether a column is read below. Spark counts lambda variables among references too."""
    return any(kind_of(node) == "AttributeReference" for node in below(root))
