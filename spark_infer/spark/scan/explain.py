"""How the rows of a prediction reach the model, as Spark's plan tells it."""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import DataFrame

from spark_infer.errors import ConfigError
from spark_infer.spark.driver.session import check_frame
from spark_infer.spark.failures import spark_failures

_MARK = re.compile(r"spark_infer\[(.*?)\]spark_infer")


def mark(text: str) -> str:
    """Return a name for a function in Spark's plan that ``explain`` finds there."""
    plain = re.sub(r"[^\x20-\x7e]", "?", text)
    return f"spark_infer[{plain}]spark_infer"


def evaluations(df: DataFrame) -> int:
    """Return in how many places of Spark's plan a model predicts.

    Args:
        df: What was made of a ``Prediction``.
    """
    plan: Any = df._jdf.queryExecution()
    return len(_MARK.findall(str(plan.optimizedPlan().toString())))


@spark_failures("the plan cannot be read", kind=ConfigError)
def explain(df: DataFrame) -> str:
    """Say for each prediction in a DataFrame how the rows reach its model.

    Args:
        df: What ``predict`` with ``keep`` returned, or what was made of it.

    Returns:
        A line for each: ``direct``, when the Python workers read the files, with how much there is
        to read; or ``jvm``, when Spark reads them, with the reason. ``""`` where ``df`` has no such
        prediction.

    Raises:
        ConfigError: It is no DataFrame, or one of Spark Connect.
    """
    check_frame(df)
    plan = str(df._jdf.queryExecution().logical().toString())
    return "\n".join(dict.fromkeys(_MARK.findall(plan)))
