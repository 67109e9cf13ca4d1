"""Rows of two tables that are of one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.spark.names import Names, unused
from spark_infer.spark.wire import quoted


@dataclass(frozen=True)
class Matched:
    """Finds rows of a run and rows of its target by the same columns.

    A null is the same as another one: such a key is found, and refused by who looks at the keys.

    Attributes:
        columns: What the rows have in common, by whatever spelling.
        names: The rule by which names are the same.
    """

    columns: Sequence[str]
    names: Names

    def keys(self, rows: DataFrame) -> DataFrame:
        """Return these columns of some rows, by their spelling there."""
        return rows.select(*(F.col(quoted(self._in(rows, name))) for name in self.columns))

    def those_in(self, rows: DataFrame, others: DataFrame) -> DataFrame:
        """Return the rows of which there are others."""
        return self._joined(rows, others, {}, "left_semi")

    def those_not_in(self, rows: DataFrame, others: DataFrame) -> DataFrame:
        """Return the rows of which there are no others."""
        return self._joined(rows, others, {}, "left_anti")

    def beside(
        self,
        rows: DataFrame,
        others: DataFrame,
        added: Mapping[str, str],
        *,
        or_null: bool = False,
    ) -> DataFrame:
        """Return the rows of which there are others, with columns of these.

        Args:
            rows: The rows.
            others: The others, of which each row has one at most.
            added: Names of columns of the others, by what they are called beside the rows.
            or_null: Whether rows without others are returned as well, with nulls.
        """
        joined = self._joined(rows, others, added, "left" if or_null else "inner")
        return joined.select(*map(quoted, [*rows.columns, *added]))

    def _joined(
        self, rows: DataFrame, others: DataFrame, added: Mapping[str, str], how: str
    ) -> DataFrame:
        """Join rows with others, whose columns get names that the rows do not have."""
        ours = self.keys(rows).columns
        hidden = unused([*rows.columns, *added], len(ours))
        renamed = others.select(
            *(
                F.col(quoted(a)).alias(b)
                for a, b in zip(self.keys(others).columns, hidden, strict=True)
            ),
            *(F.col(quoted(column)).alias(name) for name, column in added.items()),
        )
        pairs = zip(ours, hidden, strict=True)
        same = reduce(and_, (F.col(quoted(a)).eqNullSafe(F.col(quoted(b))) for a, b in pairs))
        return rows.join(renamed, on=same, how=how)

    def _in(self, rows: DataFrame, name: str) -> str:
        return self.names.one(name, rows.columns, where="key")
