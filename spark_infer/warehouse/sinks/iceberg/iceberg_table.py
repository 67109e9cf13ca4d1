"""A table of Iceberg: staged on a branch, published by a fast-forward."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.names import Names
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.rows.among import in_partitions
from spark_infer.warehouse.rows.by_key import without_known
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import formats
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.iceberg.find import check_creatable, check_extensions
from spark_infer.warehouse.sinks.iceberg.workspace import Workspace
from spark_infer.warehouse.sinks.kept import Kept, check_latest, is_published, nothing_kept
from spark_infer.warehouse.sinks.sink import Means, Published
from spark_infer.warehouse.sinks.sql.merge import Merge
from spark_infer.warehouse.sinks.sql.sql_table import SqlTable
from spark_infer.warehouse.sinks.table import Table
from spark_infer.warehouse.sinks.target import Target

_MAX_ATTEMPTS = 10
_FORMAT = "iceberg"
_BY_SPARK = "jvm: the table is one of Iceberg"
_log = logging.getLogger(__name__)


class IcebergTable:
    """A table of a catalog of Iceberg; a ``KeepingSink``.

    Rows are staged on a branch of the table, which no reader looks at, and what the table is to be
    is made and counted on a branch as well. Then the table is fast-forwarded to it, which is one
    step. Where another has written the table meanwhile, the same is done again with the staged
    rows on what the table is now. A run that was killed has published all or nothing; the next one
    drops its branches.

    The first run of a table keeps its rows on the executors' disks, and creates the table with
    them in one step.

    Args:
        target: The table.
        coverage: Which rows of it the run replaces.
    """

    def __init__(self, target: Target, coverage: Coverage) -> None:
        self._target = target
        self._coverage = coverage
        self._merge = Merge(target, coverage)
        self._unnamed = SqlTable(target, coverage)
        self._workspace = Workspace(target)
        self._branches = self._workspace.branches
        self._unplaced: Staged | None = None
        """Rows for a table that is not there yet."""
        self._is_kept = False
        self._base: int | None = None
        """The snapshot that the staged rows were added to."""
        self._known: int | None = None
        """The snapshot that the keys of an append are not in."""
        self._schema = StructType()

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written and come back as they are.

        Raises:
            WarehouseError: They cannot; or the table, its columns or partitions are others.
            ConfigError: Spark or the job file is not set for it.
        """
        target = self._target
        check_extensions(target.spark)
        names = Names.of_session(target.spark)
        key = [names.one(name, schema.names, where="") for name in target.key]
        formats.check_types(target.spark, schema, target.partition_columns(schema.names), key)
        if self._check_table(schema) is None:
            target.name.check_free(target.spark, key=f"{target.section}.table")
            check_creatable(target.config.format, schema, target.section)
        if target.is_merged:
            self._merge.check()

    def intent(self) -> str:
        """Say what publishing would do to the table."""
        return self._target.intent(empties=True)

    def means(self, prediction: Prediction) -> Means:
        """Say how rows would be put into the table."""
        if self._target.table() is None:
            return self._unnamed.means(prediction)
        return Means(_BY_SPARK, self._branches.publishing_sql)

    def recover(self) -> tuple[str, ...]:
        """Drop the branches of runs that were killed; what they had published is whole."""
        self._target.check_named()
        if self._target.table(anew=True) is None:
            return ()
        self._workspace.recover()
        return ()

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return the rows that are to be scored: of an append those that are not there yet."""
        if self._target.is_appended and self._target.table(anew=True) is not None:
            self._known = self._branches.head()
        return self._target.pending(rows)

    def stage(self, prediction: Prediction) -> Staged:
        """Score the rows onto a branch of the table."""
        self._schema = prediction.df.schema
        if self._target.table(anew=True) is None:
            self._unplaced = self._unnamed.stage(prediction)
            return self._unplaced
        return self._stage(prediction.df)

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Prove that publishing these rows removes none that the run is not about."""
        emptied = self._check_rows(staged, keys)
        if self._is_kept:
            self._check_table(self._schema)
            check_latest(self._target, keys.partitions | emptied, staged.df)

    def discard(self, staged: Staged | None) -> None:
        """Drop the run's branches."""
        self._workspace.clear()
        self._unnamed.discard(self._unplaced)

    def keep(self, staged: Staged, about: Mapping[str, Any]) -> None:
        """Have what is staged outlast the run, for seven days or until somebody decides.

        The first run of a table creates it, without a row, to keep its rows on a branch.
        """
        if self._unplaced is not None and self._target.table(anew=True) is None:
            self._create(staged.df.limit(0))
        if self._unplaced is not None:
            staged = self._stage(self.pending(staged.df))
        kept = Kept.of(staged, _FORMAT, about)
        self._workspace.keep(kept.to_text())

    def kept(self) -> Mapping[str, Any]:
        """Return what was said of the run when it was kept."""
        return self._find_kept().about

    def reopen(self) -> Staged:
        """Return what is kept, and hold it."""
        self._find_kept()
        self._workspace.hold()
        kept = self._find_kept()  # Nobody has published or dropped it meanwhile.
        branch = self._workspace.reopen()
        self._schema, self._is_kept = kept.columns, True
        return kept.staged(self._ours(branch))

    def drop(self) -> None:
        """Drop what is kept."""
        self.reopen()
        self._workspace.drop()
        self.discard(None)

    def publish(self, staged: Staged, keys: Keys) -> Published:
        """Make the rows visible.

        Raises:
            WarehouseError: They cannot be, and the table is as it was before.
        """
        table, named = self._target.config.table, self._target.named
        with spark_failures(f"{named} was not written"):
            if self._unplaced is not None:
                if self._create(staged.df):
                    return self._target.read_back(keys, staged.rows)
                staged = self._stage(self.pending(staged.df))
            if self._coverage.left_alone and not keys.rows and not self._check_rows(staged, keys):
                return Published(0, 0)
            for attempt in range(_MAX_ATTEMPTS):
                base = self._branches.head()
                branch, published = self._result(staged, keys, base, is_first=not attempt)
                if self._adds_nothing(published) or self._branches.fast_forward(branch, base):
                    if self._is_kept:
                        self._workspace.drop()
                    return published
                _log.warning("another has written table %s; applying the rows to it again", table)
        raise WarehouseError(
            f"{named} was not written: others have written it {_MAX_ATTEMPTS} times "
            "while this run was about to; run the same range again when they are done",
            transient=True,
        )

    def _stage(self, df: DataFrame) -> Staged:
        self._base = self._branches.head()
        branch = self._workspace.branch(self._base)
        rows, rejected = self._branches.write(df, branch, replaces=self._target.is_overwritten)
        return Staged(self._ours(branch), rows, rejected, _BY_SPARK)

    def _create(self, rows: DataFrame) -> bool:
        """Create the table with rows; return False where another has, meanwhile."""
        target = self._target
        if target.table(anew=True) is not None:
            return False
        writer = rows.writeTo(target.name.sql).using(target.config.format)
        if by := target.partition_columns(rows.columns):
            writer = writer.partitionedBy(*(F.col(quoted(name)) for name in by))
        try:
            writer.create()
        except SPARK_FAILURES:
            if target.table(anew=True) is None:
                raise
            return False
        return True

    def _adds_nothing(self, published: Published) -> bool:
        """Return whether the table is right already, and needs no snapshot more."""
        target = self._target
        deletes = target.is_overwritten or target.config.delete_missing
        return not published.rows and not deletes

    def _result(
        self, staged: Staged, keys: Keys, base: int | None, *, is_first: bool
    ) -> tuple[str, Published]:
        """Make a branch of what the table is to be, of the snapshot that it is at."""
        target = self._target
        self._check_table(self._schema)
        emptied = self._check_rows(staged, keys)
        if self._is_kept:
            check_latest(target, keys.partitions | emptied, staged.df)
        expected = staged.rows
        # The branch with the staged rows is what the table is to be, unless that has changed.
        is_staged = is_first and base == self._base and not (target.is_merged or self._is_kept)
        if target.is_appended:
            is_staged &= base == self._known
        branch = self._workspace.made[0] if is_staged else self._workspace.branch(base)
        if target.is_merged:
            self._merge.write(staged, self._branches.sql(branch), target.rows())
        elif not is_staged:
            rows = staged.df
            if target.is_appended:
                rows = without_known(rows, target.rows(), target.key)
            expected, _ = self._branches.write(rows, branch, replaces=target.is_overwritten)
        if emptied:
            self._branches.delete(branch, self._inside(emptied))
        partitions = keys.partitions | emptied
        published, others = target.count(self._branches.rows(branch), partitions)
        if others:
            # Rows that were written when the table had other partitions, and stand beside ours.
            other = f"run_id <> {literal(target.run_id)} OR run_id IS NULL"
            self._branches.delete(branch, f"({self._inside(partitions)}) AND ({other})")
            published, others = target.count(self._branches.rows(branch), partitions)
        if published.rows != expected or others:
            raise WarehouseError(
                f"{target.named} was not written: branch {branch} of it "
                f"holds {published.rows:,} rows of the run instead of {expected:,}, beside "
                f"{others:,} others in the same partitions; run the same range again"
            )
        return branch, published

    def _check_rows(self, staged: Staged, keys: Keys) -> frozenset[Partition]:
        """Do as ``check_rows`` says, and return the partitions that are to be emptied."""
        target = self._target
        if target.is_merged:
            self._merge.check_rows(staged, keys)
            return frozenset()
        self._coverage.check_inside(staged.df, target.config.partition_by)
        if target.table(anew=True) is None:
            target.check_has_rows(keys)
            return frozenset()
        return self._coverage.emptied(target, keys) if target.is_overwritten else frozenset()

    def _check_table(self, schema: StructType) -> Table | None:
        """Prove that the table has these columns; return None where it is not there."""
        target, table = self._target, self._target.table(anew=True)
        if table is None:
            return None
        if target.is_overwritten and table.hidden:
            raise WarehouseError(
                f"{target.named} has partitions that are computed "
                f"({', '.join(table.hidden)}), of which an overwrite would replace more than the "
                "run's rows; use mode merge or append, or a table that is partitioned by columns"
            )
        return target.check_table(schema)

    def _ours(self, branch: str) -> DataFrame:
        return self._branches.rows(branch).where(F.col("run_id") == self._target.run_id)

    def _find_kept(self) -> Kept:
        target = self._target
        table = target.table(anew=True)
        text = None if table is None else self._workspace.kept(target.run_id)
        # Who was killed between publishing and forgetting has published.
        if text is not None and not is_published(target):
            return Kept.from_text(text, where=f"what is kept of run {target.run_id}")
        raise nothing_kept(target)

    def _inside(self, partitions: frozenset[Partition]) -> str:
        rows = self._target.rows()
        return in_partitions(rows, self._target.partition_columns(rows.columns), partitions)
