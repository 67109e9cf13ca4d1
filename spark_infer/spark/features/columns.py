"""Derived columns by their SQL expressions, which may not change the number of rows."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle.features import refused
from spark_infer.errors import SignatureError
from spark_infer.spark.failures import SPARK_FAILURES, reason
from spark_infer.spark.features.expressions import check_expressions
from spark_infer.spark.features.replace import with_columns

# What computes columns and leaves the rows as they are.
_KEEP_ROWS = ("Project", "Window")


def with_bundle_features(df: DataFrame, features: Mapping[str, str]) -> DataFrame:
    """Add the features of a bundle, which may be nothing but computations from columns.

    Raises:
        BundleError: An expression is more than that.
        SignatureError: An expression does not fit the columns, or changes the number of rows.
        ConfigError: The session cannot use the features.
    """
    check_expressions(df.sparkSession, features, df.columns)
    return with_features(df, features)


def with_features(df: DataFrame, features: Mapping[str, str]) -> DataFrame:
    """Add derived columns, each computed from the columns of ``df``, not from each other.

    The expressions run with the rights of the session: only the operator's own, from a job file,
    come here as they are.

    Args:
        df: The source.
        features: Spark SQL expression of each column. One with the name of a source column takes
            its place, and the others still read the source column.

    Raises:
        SignatureError: An expression does not fit the columns, or changes the number of rows.
    """
    if not features:
        # Spark would analyze the plan once more for nothing.
        return df
    try:
        fault = _changed_rows(df, list(features.values()))
    except SPARK_FAILURES as error:
        fault = reason(error)
    if fault is not None:
        raise SignatureError(_fault_of_one(df, features) or f"features: {fault}")
    try:
        return with_columns(df, {name: F.expr(sql) for name, sql in features.items()})
    except SPARK_FAILURES as error:
        raise SignatureError(f"features: {reason(error)}") from None


def _fault_of_one(df: DataFrame, features: Mapping[str, str]) -> str | None:
    """Return what is wrong with the first wrong feature."""
    for name, sql in features.items():
        try:
            fault = _changed_rows(df, [sql])
        except SPARK_FAILURES as error:
            fault = reason(error)
        if fault is not None:
            return refused(name, sql, fault)
    return None


def _changed_rows(df: DataFrame, expressions: list[str]) -> str | None:
    """Analyze expressions in one go; return how the number of rows would change, if it would.

    They get names that no expression can have written, since Spark lets one column of a selection
    read another.
    """
    prefix = f"feature_{uuid.uuid4().hex}"
    columns = [F.expr(sql).alias(f"{prefix}_{at}") for at, sql in enumerate(expressions)]
    added = _operators(df.select(*columns)) - _operators(df)
    if not added:
        return None
    return (
        f"it changes the number of rows (Spark needs {', '.join(sorted(added))} for it), and a "
        "feature is one value for each row; a generator belongs into the job's source, and an "
        "aggregate needs OVER (...)"
    )


def _operators(df: DataFrame) -> Counter[str]:
    """Count the operators of a DataFrame's analyzed plan, but for those that keep the rows."""
    counted: Counter[str] = Counter()
    pending: list[Any] = [df._jdf.queryExecution().analyzed()]
    while pending:
        node = pending.pop()
        counted[node.nodeName()] += 1
        children = node.children()
        pending.extend(children.apply(at) for at in range(children.size()))
    return Counter({name: count for name, count in counted.items() if name not in _KEEP_ROWS})
