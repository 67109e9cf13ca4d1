"""Rows whose keys other rows have, or have not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted


def with_known(rows: DataFrame, known: DataFrame, key: Sequence[str]) -> DataFrame:
    """Return the rows whose keys stand in ``known``; none where a part of the key is null."""
    return _by_key(rows, known, key, "left_semi")


def without_known(rows: DataFrame, known: DataFrame, key: Sequence[str]) -> DataFrame:
    """Return the others."""
    return _by_key(rows, known, key, "left_anti")


def _by_key(rows: DataFrame, known: DataFrame, key: Sequence[str], how: str) -> DataFrame:
    pairs = list(zip(map(quoted, key), unused(rows.columns, len(key)), strict=True))
    there = known.select(*(F.col(name).alias(place) for name, place in pairs))
    same = reduce(and_, (F.col(name) == F.col(place) for name, place in pairs))
    return rows.join(there, on=same, how=how)
