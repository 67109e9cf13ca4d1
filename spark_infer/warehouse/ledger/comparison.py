"""Source and target, compared key by key."""

from __future__ import annotations

from functools import cached_property, reduce
from operator import and_

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.ledger.side import Side

SAME, MOVED, CHANGED, GONE = "same", "moved", "changed", "gone"
"""What has become of a row: nothing; what is kept beside its key is another; it is to be scored;
it has left the source."""
NONE = dict.fromkeys((SAME, MOVED, CHANGED, GONE), 0)


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
