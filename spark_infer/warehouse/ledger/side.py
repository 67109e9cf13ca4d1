"""Rows of the source, or of the target, as they are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.ledger.content import short_hash
from spark_infer.warehouse.rows.keys import Partition, partition_texts

_HALF = 32


class Sum(NamedTuple):
    """What the rows of a partition add up to, in any order.

    Attributes:
        rows: How many there are.
        unknown: Those that are to be scored whatever the source says.
        high: Sum of the upper halves of their hashes.
        low: Sum of the lower halves. Neither grows out of its 64 bits before a partition has 2^31
            rows.
    """

    rows: int
    unknown: int
    high: int
    low: int


@dataclass(frozen=True)
class Side:
    """Rows as they are compared.

    Attributes:
        rows: The rows.
        keys: What identifies a row, by the names of ``Matched``.
        keep: What else a row has from the source.
        content: The hash of what the model reads.
        is_known: Whether such a row needs not be scored.
    """

    rows: DataFrame
    keys: Mapping[str, str]
    keep: Sequence[str]
    content: Column
    is_known: Column

    def within(self, rows: DataFrame) -> Side:
        """Return it with some of its rows."""
        return replace(self, rows=rows)

    def select(self, names: Sequence[str]) -> DataFrame:
        """Return the keys, and under these names content, hash of the others, ``is_known``."""
        fields = self.rows.schema
        carried = [*self.keys.values(), *self.keep]
        others = short_hash([(F.col(quoted(name)), fields[name].dataType) for name in carried])
        columns = (self.content, others, F.coalesce(self.is_known, F.lit(False)))
        return self.rows.select(
            *(F.col(quoted(column)).alias(name) for name, column in self.keys.items()),
            *(column.alias(name) for name, column in zip(names, columns, strict=True)),
        )

    def sums(self, by: Sequence[str]) -> dict[Partition, Sum]:
        """Return what the rows of each partition add up to.

        That two partitions add up to the same and are different comes by chance once in 2^64.

        Args:
            by: The partition columns, by the names of ``Matched``.
        """
        content, others, known = unused(list(self.keys), 3)
        rows = self.select((content, others, known))
        # A hash that is missing is that of an unknown row, which counts as such.
        whole = F.xxhash64(content, others)
        high = F.shiftright(whole, _HALF)
        low = F.shiftright(F.shiftleft(whole, _HALF), _HALF)
        found = rows.groupBy(*map(quoted, by)).agg(
            F.count(F.lit(1)), F.count_if(~F.col(known)), F.sum(high), F.sum(low)
        )
        counts = [F.col(quoted(name)) for name in found.columns[len(by) :]]
        told = found.select(partition_texts(by), *counts).collect()
        return {tuple(row[0]): Sum(*row[1:]) for row in told}
