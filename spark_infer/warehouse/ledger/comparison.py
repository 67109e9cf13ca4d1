"""Source and target, compared by partitions and by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import and_
from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.ledger.content import short_hash
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.rows.keys import Partition, partition_texts

SAME, MOVED, CHANGED, GONE = "same", "moved", "changed", "gone"
"""What has become of a row: nothing; what is kept beside its key is another; it is to be scored;
it has left the source."""
NONE = dict.fromkeys((SAME, MOVED, CHANGED, GONE), 0)
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


class Comparison:
    """What has become of each row: one join of source and target, of which little is kept.

    Args:
        match: How a row is found.
        source: The rows of the source.
        target: Those of the target.
        has_all: Whether rows that have left the source are to be found.
        moves: Whether a row whose kept columns have changed need not be scored.
    """

    def __init__(
        self, match: Matched, source: Side, target: Side, *, has_all: bool, moves: bool
    ) -> None:
        self._match = match
        self._source = source
        self._target = target
        self._how = "full" if has_all else "left"
        self._moves = moves
        self._state, self._count, *self._hidden = unused(match.columns, 8 + len(match.columns))

    def keys(self, *states: str) -> DataFrame:
        """Return the keys of rows of some states, but not of those that are the same."""
        assert SAME not in states
        found = self._states.where(F.col(self._state).isin(*states))
        return found.select(*map(quoted, self._match.columns))

    def counts(self) -> dict[str, int]:
        """Join the rows, keep the keys of those that are not the same, and count each state."""
        self._states.persist(StorageLevel.MEMORY_AND_DISK)
        found = self._states.groupBy(self._state).agg(F.sum(self._count)).collect()
        return {**NONE, **dict(map(tuple, found))}

    def end(self) -> None:
        """Forget them."""
        self._states.unpersist()

    @cached_property
    def _states(self) -> DataFrame:
        """The keys with state and number of rows; one row for all that are the same."""
        names = self._match.columns
        content, others, is_there = self._hidden[:3]
        theirs, keys = self._hidden[3:6], self._hidden[6:]
        source = self._source.select((content, others, is_there))
        target = self._target.select(theirs).toDF(*keys, *theirs)
        pairs = zip(names, keys, strict=True)
        same = (F.col(quoted(a)).eqNullSafe(F.col(b)) for a, b in pairs)
        joined = source.join(target, on=reduce(and_, same), how=self._how)
        is_same = F.col(theirs[2]) & (F.col(content) == F.col(theirs[0]))
        if self._moves:
            is_moved = is_same & (F.col(others) != F.col(theirs[1]))
        else:
            is_same, is_moved = is_same & (F.col(others) == F.col(theirs[1])), F.lit(False)
        state = (
            F.when(F.col(is_there).isNull(), GONE)
            .when(is_moved, MOVED)
            .when(is_same, SAME)
            .otherwise(CHANGED)
        )
        known = joined.select("*", state.alias(self._state))
        is_other = F.col(self._state) != SAME
        found = (
            F.when(is_other, F.coalesce(F.col(quoted(name)), F.col(key))).alias(name)
            for name, key in zip(names, keys, strict=True)
        )
        return (
            known.select(*found, self._state)
            .groupBy(*map(quoted, names), self._state)
            .agg(F.count(F.lit(1)).alias(self._count))
        )
