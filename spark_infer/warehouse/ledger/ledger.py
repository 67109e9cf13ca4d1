"""Which rows a run scores, and what the target keeps of those that it does not."""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import suppress
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle import Bundle
from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.columns.model_columns import ModelColumns
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.features import Featured
from spark_infer.spark.names import Names
from spark_infer.spark.plans import without_rows
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.source import as_column
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.config.target.incremental import GONE_COLUMN, HASH_COLUMN
from spark_infer.warehouse.ledger.comparison import CHANGED, GONE, MOVED, NONE, SAME, Comparison
from spark_infer.warehouse.ledger.content import VERSION, content_hash
from spark_infer.warehouse.ledger.kept_rows import KeptRows
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.ledger.parity import Parity
from spark_infer.warehouse.ledger.side import Side
from spark_infer.warehouse.ledger.sides import Sides
from spark_infer.warehouse.rows.among import MAX_NAMED, among, nameable
from spark_infer.warehouse.rows.keys import Partition, partition_texts
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import Coverage, Sink, Target
from spark_infer.warehouse.sinks.sql.sql_table import SqlTable

_TYPES = {HASH_COLUMN: "STRING", GONE_COLUMN: "TIMESTAMP"}
_log = logging.getLogger(__name__)


class Ledger:
    """Tells new and changed rows from those that the target has as they would be scored again.

    A row is as it was where the target has its key (in its partition, in mode overwrite) with the
    hash of the same values, the same bundle's digest and a prediction. Whatever else stands in the
    column of hashes, or nothing, has the row scored: damage costs time and no row.

    In mode overwrite a partition of which no row has changed is left alone. Into those that are
    replaced, rows that are as they were are carried over. They have this run's id, by whom the row
    was written, and the time and digest by which it was scored. A merge stages what is scored
    alone.

    Of a job that is not incremental it does nothing, unless the target has the columns.

    Args:
        config: The job file.
        bundle: Its bundle.
        target: The target.
        coverage: Which rows of it the run is about.
        started_at: When the run began.

    Raises:
        WarehouseError: The target has no column for it.
    """

    def __init__(
        self,
        config: JobConfig,
        bundle: Bundle,
        target: Target,
        coverage: Coverage,
        started_at: dt.datetime,
    ) -> None:
        self._config = config
        self._bundle = bundle
        self._target = target
        self._names = Names.of_session(target.spark)
        by = config.target.partition_by if target.is_overwritten else ()
        key = {self._names.key(name): name for name in (*config.key, *by)}
        self._match = Matched([*key.values()], self._names)
        wanted = config.incremental.columns(config.target.mode)
        table = target.table()
        there = [] if table is None else table.columns.names
        missing = [name for name in wanted if table and not self._names.find(name, there)]
        if missing and not config.target.is_in_source:
            declared = ", ".join(f"{name} {_TYPES[name]}" for name in missing)
            raise WarehouseError(
                f"target table {config.target.table!r} has no column {missing[0]}, which "
                f"incremental needs; ALTER TABLE {config.target.table} ADD COLUMNS ({declared}), "
                "and the next run scores all rows once"
            )
        self.columns = tuple(
            name for name in _TYPES if name in wanted or self._names.find(name, there)
        )
        """Columns that the rows have for it, beside those of any job."""
        self.coverage = coverage
        """Which rows the run is about: once they are compared, also what it leaves alone."""
        self._sides = Sides(config, bundle, target, self._match)
        self._kept = KeptRows(config, target, coverage, self._match, started_at)
        self._rows: Featured | None = None
        self._comparison: Comparison | None = None
        """Of the rows that are compared one by one; None where there are none."""
        self._counts = NONE
        self.is_compared = False
        """Whether ``pending`` is what is scored, and ``beside`` what is written."""
        self._partitions: frozenset[Partition] | None = None
        """Where these rows are; None where that is everywhere."""

    def check(self, sink: Sink) -> None:
        """Prove that a sink can write what the ledger leaves of the target.

        Raises:
            WarehouseError: It cannot.
        """
        incremental = self._config.incremental
        if self._target.is_overwritten and isinstance(sink, SqlTable) and incremental.is_on:
            raise WarehouseError(
                f"target table {self._config.target.table!r} is written by INSERT, which cannot "
                "carry rows over that are not scored again; use a table of Parquet or ORC in "
                "Spark's own catalog or one of Iceberg, or leave incremental out"
            )

    def with_columns(self, rows: Featured) -> Featured:
        """Return rows with the columns of the ledger, and remember them as what the run is about.

        Raises:
            ConfigError: They have a column of that name.
        """
        for name in self.columns:
            if self._names.find(name, rows.df.columns):
                raise ConfigError(
                    f"the source has a column {name!r}, which the target gets from incremental; "
                    "leave it out of the source, or rename it there"
                )
        if self.columns:
            rows = replace(rows, df=self._hashed(rows))
        self._rows = rows
        return rows

    def compare(self) -> dict[str, int]:
        """Find out which rows are to be scored, and return how many are as they were.

        Raises:
            WarehouseError: Rows stand in partitions that the run is not about.
        """
        if self._target.is_appended:
            return {}
        if self._rows is None or not self._is_comparable:
            return {"rows_unchanged": 0}
        rows, target = self._sides.ours(self._rows), self._sides.there()
        num_alone, is_overwritten = 0, self._target.is_overwritten
        if is_overwritten:
            rows, target, num_alone = self._without_equal(rows, target)
        if not num_alone or self._partitions:
            has_all = is_overwritten or self._kept.stay
            self._comparison = Comparison(
                self._match, rows, target, has_all=has_all, moves=is_overwritten
            )
            self._counts = self._comparison.counts()
            if self._counts[CHANGED] and self._sides.compares:
                self._tell_unknown(target.rows)
        self.is_compared = True
        return {"rows_unchanged": num_alone + self._counts[SAME] + self._counts[MOVED]}

    def pending(self) -> Featured:
        """Return the rows that are to be scored: before they are compared some that stand for them.

        As long as that is not known, as in a plan, they are read as those will be.
        """
        assert self._rows is not None
        rows = self._rows
        if not self._sides.compares or not self._is_comparable:
            return rows
        if not self.is_compared:
            return replace(rows, df=self._match.those_in(rows.df, self._match.keys(rows.df)))
        if self._comparison is None:
            return replace(rows, df=rows.df.where(F.lit(False)))
        df = self._within(rows.df)
        if self._counts[SAME] or self._counts[MOVED]:
            df = self._match.those_in(df, self._comparison.keys(CHANGED))
        return replace(rows, df=df)

    def beside(self, prediction: Prediction) -> Prediction:
        """Return what is predicted, with what the target keeps of the rows that are not."""
        assert self._rows is not None
        columns = prediction.df.columns
        if not self._is_comparable:
            return prediction
        if not self.is_compared:
            if not self._target.is_overwritten:
                return prediction
            return replace(prediction, others=without_rows(prediction.df))
        others, comparison, counts = [], self._comparison, self._counts
        if comparison is not None and self._target.is_overwritten:
            there = self._within(self._sides.known())
            if counts[SAME]:
                gone = comparison.keys(CHANGED, MOVED, GONE)
                others.append(self._kept.carried(self._match.those_not_in(there, gone), columns))
            if counts[MOVED]:
                moved, rows = comparison.keys(MOVED), self._rows
                rows = replace(rows, df=self._match.those_in(self._within(rows.df), moved))
                there = self._match.those_in(there, moved)
                others.append(self._kept.moved(rows, there, columns))
        if comparison is not None and self._kept.stay and counts[GONE]:
            others.append(self._kept.left(self._rows.df, comparison.keys(GONE), columns))
        if not others:
            return prediction
        return replace(prediction, others=reduce(DataFrame.unionByName, others))

    def counted(self, staged: Staged) -> Staged:
        """Return what is staged, with the number of rows in it that were not scored.

        Raises:
            WarehouseError: Rows are missing that were neither scored nor carried over, or a key
                stands in a partition that is left alone as well.
        """
        if not self.is_compared:
            return staged
        if self._target.is_overwritten and self._rows is not None:
            parity = Parity(self._config, self._match, self._rows.df)
            num_rows = sum(self._counts[state] for state in (SAME, MOVED, CHANGED))
            parity.check_all_there(staged, num_rows, has_others=self._kept.stay)
            if self.coverage.left_alone and self._partitions:
                parity.check_keys(staged, self._partitions)
        carried, again = max(staged.rows - self._counts[CHANGED], 0), 0
        if staged.rejected and self._sides.compares:
            again = self._sides.rejected_again(staged.df, self._within(self._target.rows()))
        return replace(staged, carried=carried, again=again)

    def end(self) -> None:
        """Forget what was found out."""
        with suppress(*SPARK_FAILURES):  # A JVM that is gone keeps nothing.
            if self._comparison is not None:
                self._comparison.end()

    def _without_equal(self, source: Side, target: Side) -> tuple[Side, Side, int]:
        """Return both sides without what is left alone, and how many rows that is.

        Where a check looks at the whole table as it is to be, or rows stay that have left the
        source, none is.
        """
        if self._kept.stay:
            return source, target, 0
        by = self._sides.by
        if self._config.gate:
            columns = [source.keys[name] for name in by]
            found = source.rows.select(*map(quoted, columns)).distinct()
            texts = found.select(partition_texts(columns)).take(MAX_NAMED + 1)
            self._partitions = nameable({tuple(row[0]) for row in texts})
            return source, target.within(self._within(target.rows)), 0
        self.coverage.check_inside(source.rows, self._config.target.partition_by)
        ours = source.sums(by)
        # Others of the target are not looked at.
        self._partitions = nameable(ours)
        theirs = target.within(self._within(target.rows)).sums(by)
        equal = frozenset(part for part, found in ours.items() if theirs.get(part) == found)
        others = nameable(ours.keys() - equal)
        if not equal or others is None:
            return source, target.within(self._within(target.rows)), 0
        self._partitions = others
        self.coverage = replace(self.coverage, left_alone=equal)
        num_alone = sum(ours[partition].rows for partition in equal)
        source = source.within(self._within(source.rows))
        return source, target.within(self._within(target.rows)), num_alone

    def _hashed(self, rows: Featured) -> DataFrame:
        read = ModelColumns.find(rows, self._bundle.signature, self._names)
        model = [(as_column(read.columns[name]), read.types[name]) for name in read.columns]
        added = {
            HASH_COLUMN: content_hash(model),
            GONE_COLUMN: F.lit(None).cast("timestamp"),
        }
        return rows.df.select("*", *(added[name].alias(name) for name in self.columns))

    @property
    def _is_comparable(self) -> bool:
        """Whether there is something to compare with."""
        is_wanted = self._sides.compares or self._kept.stay
        return is_wanted and self._sides.has_all_columns(self.columns)

    def _within(self, rows: DataFrame) -> DataFrame:
        """Return those that are compared one by one."""
        if self._partitions is None:
            return rows
        return among(rows, self._target.partition_columns(rows.columns), self._partitions)

    def _tell_unknown(self, rows: DataFrame) -> None:
        """Log that hashes are of another kind, which has rows scored that have not changed."""
        if found := rows.where(~F.col(HASH_COLUMN).startswith(f"{VERSION}:")).count():
            _log.warning(
                "%s rows of target table %s have a %s that is damaged, or that another spark_infer "
                "has written; those that the run is about are scored again",
                f"{found:,}",
                self._config.target.table,
                HASH_COLUMN,
            )
