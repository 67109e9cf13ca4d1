"""Rows that the target has, and keeps without being scored again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.features import Featured
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import LINEAGE_COLUMNS, JobConfig
from spark_infer.warehouse.config.target.incremental import GONE_COLUMN
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.sinks import Coverage, Target

_, _, _RUN, _ = LINEAGE_COLUMNS


@dataclass(frozen=True)
class KeptRows:
    """Makes such rows as a run writes them beside those that it scores.

    Attributes:
        config: The job file.
        target: The target.
        coverage: Which rows of it the run is about.
        match: How a row is found there.
        started_at: When the run began.
    """

    config: JobConfig
    target: Target
    coverage: Coverage
    match: Matched
    started_at: dt.datetime

    @property
    def stay(self) -> bool:
        """Whether rows that have left the source are among those that a run writes."""
        gone = self.config.incremental.gone
        return gone == "mark" or (gone == "keep" and self.target.is_overwritten)

    def carried(self, there: DataFrame, columns: Sequence[str]) -> DataFrame:
        """Return rows of the target that stay as they are, for partitions that are replaced.

        Args:
            there: The rows.
            columns: Of the result.
        """
        return self._by_this_run(there, columns)

    def moved(self, rows: Featured, there: DataFrame, columns: Sequence[str]) -> DataFrame:
        """Return rows of which something has changed that the model does not read.

        Args:
            rows: Those of the source.
            there: The same ones of the target.
            columns: Of the result.
        """
        key = self.match.names.key
        ours = {key(name) for name in (*self.config.key, *self.config.target.keep)}
        kept = rows.df.select(
            *(
                F.col(quoted(rows.column(name, where="incremental"))).alias(name)
                for name in columns
                if key(name) in ours
            )
        )
        added = {name: self._spelled(there, name) for name in columns if key(name) not in ours}
        return self._by_this_run(self.match.beside(kept, there, added), columns)

    def left(self, rows: DataFrame, gone: DataFrame, columns: Sequence[str]) -> DataFrame:
        """Return the target's rows that have left the source, as far as the run is about them.

        Args:
            rows: Those of the source.
            gone: Keys that it does not have.
            columns: Of the result.

        Raises:
            WarehouseError: Of a merge: nobody can tell which rows these are.
        """
        there, by = self.target.rows(), self.config.target.partition_by
        # What was rejected has nothing that could be kept.
        left = self.match.those_in(there.where(F.col(REASON_COLUMN).isNull()), gone)
        is_marked = self.config.incremental.gone == "mark"
        if self.target.is_merged:
            owned = self.coverage.owned(there, setting="incremental.gone: mark")
            left = self.match.those_in(left, owned).where(F.col(GONE_COLUMN).isNull())
        else:
            within = Matched(by, self.match.names)
            partitions = within.keys(rows).distinct()
            if (covered := self.coverage.of(there, by)) is not None:
                partitions = partitions.union(within.keys(covered).distinct())
            left = within.those_in(left, partitions)
            # A key that stands in another partition now has not left.
            left = Matched(self.config.key, self.match.names).those_not_in(left, rows)
        if is_marked:
            now = F.timestamp_micros(F.lit(round(self.started_at.timestamp() * 1_000_000)))
            mark = F.coalesce(F.col(GONE_COLUMN), now)
            left = left.select(
                *(
                    mark.alias(name)
                    if self.match.names.key(name) == GONE_COLUMN
                    else F.col(quoted(name))
                    for name in left.columns
                )
            )
        return self._by_this_run(left, columns)

    def _by_this_run(self, rows: DataFrame, columns: Sequence[str]) -> DataFrame:
        """Return rows with the id of this run, by which a sink knows what it has written."""
        run_id = F.lit(self.target.run_id)
        return rows.select(
            *(
                (run_id if name == _RUN else self._column(rows, name)).alias(name)
                for name in columns
            )
        )

    def _column(self, rows: DataFrame, name: str) -> Column:
        return F.col(quoted(self._spelled(rows, name)))

    def _spelled(self, rows: DataFrame, name: str) -> str:
        return self.match.names.one(name, rows.columns, where="incremental")
