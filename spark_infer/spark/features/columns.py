"""Derived columns by their SQL expressions, which may not change the number of rows."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle.columns import instead
from spark_infer.bundle.features import refused
from spark_infer.errors import SignatureError
from spark_infer.spark.failures import SPARK_FAILURES, explained, silent
from spark_infer.spark.features.expressions import check_expressions
from spark_infer.spark.features.featured import Featured
from spark_infer.spark.features.planned import converts_text, reads_moment
from spark_infer.spark.features.replace import with_columns
from spark_infer.spark.features.source_types import check_source_types
from spark_infer.spark.names import Names
from spark_infer.spark.plans import without_rows

_Check = Callable[[DataFrame, DataFrame, Mapping[str, str]], str | None]
"""Returns what is wrong with columns that were added, given the source and the expressions."""

# What computes columns and leaves the rows as they are.
_KEEP_ROWS = ("Project", "Window")


def with_bundle_features(
    df: DataFrame, features: Mapping[str, str], source_types: Mapping[str, str] | None = None
) -> Featured:
    """Compute the features of a bundle, which may be nothing but computations from columns.

    They take the place of no column: a bundle says what its model reads, not what a key, a
    partition or any other column of the rows is.

    Args:
        df: The source.
        features: Spark SQL expression of each.
        source_types: What kind of type columns must be of, by name.

    Raises:
        BundleError: An expression is more than that.
        SignatureError: An expression does not fit the columns, or changes the number of rows, or a
            column is not of the type for which the features were written.
        ConfigError: The session cannot use the features.
    """
    if not features:
        # Spark would analyze the plan once more for nothing.
        return Featured(df, {})
    check_source_types(df, source_types or {})
    # Every name that passes is one of a source column, so no feature reads another one.
    doubtful = check_expressions(df.sparkSession, features, df.columns, df)
    hidden = _hidden(features)
    checks: tuple[_Check, ...] = (_change_of_rows, _moment, _foreign_type)
    if doubtful:
        checks += (_time_of({features[name] for name in doubtful}),)
    added = _added(df, hidden, list(features), checks)
    return Featured(added, dict(zip(features, hidden, strict=True)))


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
    _added(df, _hidden(features), names, (_change_of_rows,))
    return _added(df, features, names, (_change_of_rows,))


def _hidden(features: Mapping[str, str]) -> dict[str, str]:
    """Return the expressions under names that nobody can have written."""
    prefix = f"feature_{uuid.uuid4().hex}"
    return {f"{prefix}_{at}": sql for at, sql in enumerate(features.values())}


def _added(
    df: DataFrame, features: Mapping[str, str], names: list[str], checks: tuple[_Check, ...]
) -> DataFrame:
    """Add columns and check Spark's plan of them, all in one analysis.

    Only where that fails are they analyzed one by one, to find which of the ``names`` to blame.
    """
    try:
        with silent():
            added = _with(df, features)
            faults = (check(df, added, features) for check in checks)
            fault = next((fault for fault in faults if fault is not None), None)
    except SPARK_FAILURES as error:
        fault = str(explained(error)) + instead("", df.columns)
    if fault is None:
        return added
    for name, (column, sql) in zip(names, features.items(), strict=True):
        if len(features) == 1:
            raise SignatureError(refused(name, sql, fault))
        _added(df, {column: sql}, [name], checks)
    raise SignatureError(f"features: {fault}")


def _change_of_rows(df: DataFrame, added: DataFrame, _: Mapping[str, str]) -> str | None:
    operators = _operators(added) - _operators(df)
    if not operators:
        return None
    return (
        f"it changes the number of rows (Spark needs {', '.join(sorted(operators))} for it), and a "
        "feature is one value for each row; a generator belongs into the job's source, and an "
        "aggregate needs OVER (...)"
    )


def _moment(df: DataFrame, added: DataFrame, features: Mapping[str, str]) -> str | None:
    """Say if Spark would read a text in the features as the time of the run."""
    if not reads_moment(added):
        return None
    # The source may do so: it is its owner's. The features are asked without it.
    if reads_moment(df) and not reads_moment(_with(without_rows(df), features)):
        return None
    return (
        "Spark reads a text in it as the time of the run (now, today), and a feature is computed "
        "from columns; write the date itself, in digits, or compute it in the job's source"
    )


def _time_of(doubtful: Collection[str]) -> _Check:
    """Return the check that Spark makes no date of a text in these expressions."""

    def check(df: DataFrame, _: DataFrame, features: Mapping[str, str]) -> str | None:
        asked = {name: sql for name, sql in features.items() if sql in doubtful}
        alone = (_with(without_rows(df), {name: sql}) for name, sql in asked.items())
        if not any(map(converts_text, alone)):
            return None
        return (
            "Spark makes a date or timestamp of a text in it that is a time without a date, or "
            "computed from no column, and such a text could be one of the day of the run; write "
            "the date itself, in digits, add an INTERVAL to a date, or compute it in the job's "
            "source"
        )

    return check


def _foreign_type(_: DataFrame, added: DataFrame, features: Mapping[str, str]) -> str | None:
    """Say if a feature is of a type that names a class, which Python would load with the schema."""
    names = Names.of_session(added.sparkSession)
    derived = {names.key(name) for name in features}
    for field in json.loads(added._jdf.schema().json())["fields"]:
        if names.key(field["name"]) in derived and not _is_plain(field["type"]):
            return (
                "its value is of a user-defined type, and a feature is made of numbers, texts, "
                "times, arrays, maps and structs; convert the column in the job's source"
            )
    return None


def _is_plain(kind: Any) -> bool:
    """Return whether a type, in Spark's JSON, is of Spark's own types throughout."""
    if isinstance(kind, str):
        return True
    if kind["type"] == "struct":
        return all(_is_plain(field["type"]) for field in kind["fields"])
    if kind["type"] == "array":
        return _is_plain(kind["elementType"])
    if kind["type"] == "map":
        return _is_plain(kind["keyType"]) and _is_plain(kind["valueType"])
    return False


def _with(df: DataFrame, features: Mapping[str, str]) -> DataFrame:
    return with_columns(df, {column: F.expr(sql) for column, sql in features.items()})


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
