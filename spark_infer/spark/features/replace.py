"""Columns in the place of others of the same name."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_infer.spark.names import Names, unused
from spark_infer.spark.wire import quoted


def with_columns(df: DataFrame, derived: Mapping[str, Column]) -> DataFrame:
    """Return ``df.withColumns(derived)``, by the rule for names of the DataFrame's own session.

    Spark 3.5 lets columns take each other's place by the rule of the active session, which need
    not be the DataFrame's, and both 3.5 and 4 where only single letters are alike.
    """
    names = Names.of_session(df.sparkSession)
    new = {names.key(name): column.alias(name) for name, column in derived.items()}
    if len(new) < len(derived):
        # Spark says which are of one name.
        return df.withColumns(dict(derived))
    given = names.index(df.columns)
    added = [column for key, column in new.items() if key not in given]
    if len(added) == len(new):
        return df.select("*", *added)
    kept = [spelled for key, spelled in given.items() if key not in new]
    if all(len(spelled) == 1 for spelled in kept):
        columns = [new.get(names.key(name), F.col(quoted(name))) for name in df.columns]
        return df.select(*columns, *added)
    # Some names do not tell columns apart, but places do.
    width = len(df.columns)
    places = unused(df.columns, width + len(new))
    computed = df.select("*", *new.values()).toDF(*places)
    at = {
        key: F.col(place).alias(name)
        for key, place, name in zip(new, places[width:], derived, strict=True)
    }
    columns = [
        at.get(names.key(name), F.col(place).alias(name))
        for name, place in zip(df.columns, places[:width], strict=True)
    ]
    return computed.select(*columns, *(at[key] for key in new if key not in given))
