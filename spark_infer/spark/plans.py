"""Walks through the plans and expressions of Spark, in the JVM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.sql import DataFrame, SparkSession

_PATTERNS = "org.apache.spark.sql.catalyst.trees.TreePattern"


def items(sequence: Any) -> Iterator[Any]:
    """Return the items of a Scala sequence."""
    return (sequence.apply(at) for at in range(sequence.size()))


def scala_none(spark: SparkSession) -> Any:
    """Return Scala's option that holds nothing."""
    scala: Any = spark.sparkContext._jvm.scala  # type: ignore[union-attr]
    return getattr(scala, "None$").__getattr__("MODULE$")


def without_rows(df: DataFrame) -> DataFrame:
    """Return no rows, with the columns of a DataFrame and nothing of its plan.

    pyspark's ``createDataFrame`` would leave its session the active one of the process.
    """
    session = df.sparkSession
    rows = session._jvm.java.util.ArrayList()  # type: ignore[union-attr]
    return DataFrame(session._jsparkSession.createDataFrame(rows, df._jdf.schema()), session)


def kind_of(node: Any) -> str:
    """Return the name of the class of a node of a plan or an expression."""
    return str(node.getClass().getSimpleName())


def attribute_id(attribute: Any) -> int:
    """Return the number by which Spark knows an attribute, whatever its name."""
    return int(attribute.exprId().id())


def below(root: Any) -> Iterator[Any]:
    """Return an expression, and all in it."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(items(node.children()))


def asks_for_time(spark: SparkSession, node: Any) -> bool:
    """Return whether a plan or an expression asks for the time or the user of the query."""
    patterns = getattr(spark._jvm, _PATTERNS)
    return bool(node.containsPattern(patterns.CURRENT_LIKE()))
