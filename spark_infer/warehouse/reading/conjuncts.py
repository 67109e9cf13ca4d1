"""SQL conditions as texts: the parts that must all be met, and what does not meet one."""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.spark.failures import SPARK_FAILURES, silent

_AND = re.compile(r"\bAND\b", re.IGNORECASE)
_NUMBER = re.compile(r"#\d+")


def conjuncts(spark: SparkSession, condition: str) -> list[str]:
    """Return the texts between the ANDs of a condition, which is one of them where it has none.

    Spark's parser says which word is such an AND, and which one belongs to a BETWEEN, a text or
    what stands in parentheses: the parts, each in parentheses, are to be read as the whole is.
    """
    whole = _parsed(spark, condition)
    for word in _AND.finditer(condition) if whole else ():
        parts = condition[: word.start()], condition[word.end() :]
        # Alone first: what makes two wholes of a text may be a parenthesis in each part.
        if not all(_parsed(spark, part) for part in parts):
            continue
        again = _parsed(spark, " AND ".join(f"(\n{part}\n)" for part in parts))
        if again == whole:
            return [inner.strip() for part in parts for inner in conjuncts(spark, part)]
    return [condition.strip()]


def _parsed(spark: SparkSession, condition: str) -> str | None:
    """Return what Spark's parser makes of a condition, as a tree; None where it is none."""
    parser: Any = spark._jsparkSession.sessionState().sqlParser()
    with silent():
        try:
            tree = str(parser.parseExpression(condition).treeString())
        except SPARK_FAILURES:
            return None
    # Subqueries get another number each time.
    return _NUMBER.sub("#", tree)


def unmet(condition: str) -> str:
    """Return the condition that another is false or null; a comment in it ends with its line."""
    return f"NOT coalesce((\n{condition}\n), false)"
