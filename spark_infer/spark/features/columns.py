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
    if not features:
        # Spark would analyze the plan once more for nothing.
        return df
    # Every name that passes is one of a source column, so no feature reads another one.
    check_expressions(df.sparkSession, features, df.columns)
    return _added(df, features, list(features))


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
        return df
    names = list(features)
    # Spark lets a column read another one of the same selection, where the source has none of that
    # name. With names that nobody can have written, such an expression fails.
    prefix = f"feature_{uuid.uuid4().hex}"
    hidden = {f"{prefix}_{at}": sql for at, sql in enumerate(features.values())}
    _added(df, hidden, names)
    return _added(df, features, names)


def _added(df: DataFrame, features: Mapping[str, str], names: list[str]) -> DataFrame:
    """Add columns and check in Spark's plan that the rows are the same, all in one analysis.

    Only where that fails are they analyzed one by one, to find which of the ``names`` to blame.
    """
    try:
        added = with_columns(df, {column: F.expr(sql) for column, sql in features.items()})
        fault = _change_of_rows(df, added)
    except SPARK_FAILURES as error:
        fault = reason(error)
    if fault is None:
        return added
    for name, (column, sql) in zip(names, features.items(), strict=True):
        if len(features) == 1:
            raise SignatureError(refused(name, sql, fault))
        _added(df, {column: sql}, [name])
    raise SignatureError(f"features: {fault}")


def _change_of_rows(df: DataFrame, added: DataFrame) -> str | None:
    operators = _operators(added) - _operators(df)
    if not operators:
        return None
    return (
        f"it changes the number of rows (Spark needs {', '.join(sorted(operators))} for it), and a "
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
