"""Whether the workers read the rows that Spark reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_infer.spark.scan import NotDirect, direct_scan


@dataclass(frozen=True)
class Unchanged:
    """A task that hands on what it is given, and checks its types."""

    types: tuple[pa.DataType, ...]

    __name__ = "unchanged"

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            assert batch.schema.types == list(self.types), batch.schema
            yield batch


def by_place(df: DataFrame) -> DataFrame:
    """Return the columns under their places, as names need not be unique."""
    return df.toDF(*map(str, range(len(df.columns))))


def read_direct(df: DataFrame) -> DataFrame:
    """Return the rows as the workers read them."""
    scan = direct_scan(df)
    return scan.map(Unchanged(scan.reader.types[: len(df.columns)]), by_place(df).schema)


def assert_same(frames: Mapping[str, DataFrame]) -> dict[str, int]:
    """Assert that the workers read each of these, and the same rows as Spark; return how many."""
    sides = []
    for name, df in frames.items():
        try:
            pair = {"spark": by_place(df), "workers": read_direct(df)}
        except NotDirect as error:
            raise AssertionError(f"{name} is not direct: {error}") from None
        for side, rows in pair.items():
            texts = rows.mapInArrow(as_texts, "row string")
            sides.append(texts.select(F.lit(name), F.lit(side), "row"))
    found: dict[str, dict[str, Counter[str]]] = {
        name: {"spark": Counter(), "workers": Counter()} for name in frames
    }
    spark = sides[0].sparkSession
    # A program for each part takes longer than it saves.
    with settings(spark, codegen__wholeStage="false", codegen__factoryMode="NO_CODEGEN"):
        rows = reduce(DataFrame.union, sides).collect()
    for name, side, row in rows:
        found[name][side][row] += 1
    wrong = {
        name: {"missing": (by["spark"] - by["workers"]), "too many": (by["workers"] - by["spark"])}
        for name, by in found.items()
        if by["spark"] != by["workers"]
    }
    assert not wrong, wrong
    return {name: by["spark"].total() for name, by in found.items()}


def assert_refused(frames: Mapping[str, tuple[DataFrame, str]]) -> None:
    """Assert that Spark has to read these, for reasons that these patterns match."""
    wrong = {}
    for name, (df, pattern) in frames.items():
        try:
            direct_scan(df)
        except NotDirect as error:
            if not re.search(pattern, str(error)):
                wrong[name] = f"refused, but since {error}"
        else:
            wrong[name] = "direct"
    assert not wrong, wrong


def refused(df: DataFrame, pattern: str) -> None:
    """Assert that Spark has to read a DataFrame, for a reason that a pattern matches."""
    with pytest.raises(NotDirect, match=pattern):
        direct_scan(df)


@contextmanager
def settings(spark: SparkSession, **values: str) -> Iterator[None]:
    """Set settings for a while; ``__`` stands for a dot, and names start behind ``spark.sql``."""
    names = {f"spark.sql.{name.replace('__', '.')}": value for name, value in values.items()}
    before = {name: spark.conf.get(name, None) for name in names}
    for name, value in names.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, given in before.items():
            if given is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, given)


def as_texts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return a text for each row that tells all values apart: also NaN, -0.0, null and years."""
    for batch in batches:
        rows = map(repr, zip(*map(_values, batch.columns), strict=True))
        yield pa.RecordBatch.from_arrays([pa.array(rows, pa.string())], names=["row"])


def _values(column: pa.Array) -> list[Any]:
    kind = column.type
    if pat.is_struct(kind):
        fields = zip(*map(_values, column.flatten()), strict=True)
        return [row if there else None for row, there in zip(fields, _there(column), strict=True)]
    if pat.is_list(kind):
        items, ends = _values(column.values), column.offsets.to_pylist()
        spans = pairwise(ends)
        return [
            items[start:end] if there else None
            for (start, end), there in zip(spans, _there(column), strict=True)
        ]
    if pat.is_floating(kind):
        # Which NaN it is does not matter, nor does Spark keep it.
        return [value if value is None else float(value).hex() for value in column.to_pylist()]
    if pat.is_timestamp(kind):
        column = column.view(pa.int64())
    elif pat.is_date32(kind):
        column = column.view(pa.int32())
    elif pat.is_string(kind):
        # Spark does not check what it reads.
        column = column.cast(pa.binary())
    return list(column.to_pylist())


def _there(column: pa.Array) -> list[bool]:
    return list(column.is_valid().to_pylist())
