"""A table that is written by SQL: rows are kept in Spark's storage, then inserted."""

from __future__ import annotations

from contextlib import suppress

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.prediction import Prediction
from spark_infer.warehouse.rows.by_key import without_known
from spark_infer.warehouse.rows.keys import Keys
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.sink import Means, Published
from spark_infer.warehouse.sinks.sql.merge import Merge
from spark_infer.warehouse.sinks.sql.writer import Writer
from spark_infer.warehouse.sinks.target import Target

_BY_SPARK = "jvm: the table is written by SQL"


class SqlTable:
    """A table that Spark or its catalog lays out: of another catalog, bucketed or the like.

    Rows are staged in Spark's own storage, on the executors' disks. A run that is killed while it
    publishes can leave some of its partitions new and others old, or part of its rows appended;
    running it again completes it.

    Args:
        target: The table.
        coverage: Which rows of it the run replaces.
    """

    def __init__(self, target: Target, coverage: Coverage) -> None:
        self._target = target
        self._coverage = coverage
        self._merge = Merge(target, coverage)

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written. Errors are those of ``Target.check``."""
        self._target.check(schema)
        if self._target.is_merged:
            self._merge.check()
        self._writer()  # Its lock can have a name.

    def intent(self) -> str:
        """Say what publishing would do to the table."""
        return self._target.intent(empties=False)

    def means(self, prediction: Prediction) -> Means:
        """Say how rows would be put into the table."""
        target, name = self._target, self._target.name.sql
        rows = "`spark_infer rows`"
        if target.table() is None:
            sql = f"CREATE TABLE {name} USING {target.config.format} AS SELECT * FROM {rows}"
        elif target.is_merged:
            sql = self._merge.statement(name, rows)
        else:
            verb = "INSERT OVERWRITE" if target.is_overwritten else "INSERT INTO"
            sql = f"{verb} {name} SELECT * FROM {rows}"
        return Means(_BY_SPARK, sql)

    def recover(self) -> tuple[str, ...]:
        """Do nothing: what a run that was killed has left is cleared away before writing."""
        return ()

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return the rows that are to be scored: of an append those that are not there yet."""
        return self._target.pending(rows)

    def stage(self, prediction: Prediction) -> Staged:
        """Score the rows onto the executors' disks, and count them."""
        # On disk: the memory is the model's. Rows of an executor that is lost are scored again; if
        # their source has changed by then, the target gets a differing number of rows.
        kept = self._target.held(prediction.df).persist(StorageLevel.DISK_ONLY)
        try:
            counted = kept.agg(F.count(F.lit(1)), F.count(REASON_COLUMN)).first()
            assert counted is not None
        except BaseException:
            kept.unpersist()
            raise
        rows, rejected = counted
        return Staged(kept, rows, rejected, _BY_SPARK)

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Prove that publishing these rows leaves nothing stale behind, and removes no others."""
        target = self._target
        if target.is_merged:
            self._merge.check_rows(staged, keys)
            return
        self._coverage.check_inside(staged.df, target.config.partition_by)
        if target.table(anew=True) is None:
            target.check_has_rows(keys)
        elif target.is_overwritten:
            by, table = target.config.partition_by, target.config.table
            self._coverage.check_stale(target.rows(), keys, by, table=table)
            replaced = target.in_partitions(keys.partitions)
            self._coverage.check_replaced(replaced, keys.partitions, by, table=table)

    def discard(self, staged: Staged | None) -> None:
        """Drop what was staged."""
        with suppress(*SPARK_FAILURES):  # A JVM that is gone keeps nothing, and has said so.
            if staged is not None:
                staged.df.unpersist()

    def publish(self, staged: Staged, keys: Keys) -> Published:
        """Write the rows, and look whether they are there.

        Where it raises an error whose message does not say that the table was written, the table
        is as it was before.

        Raises:
            WarehouseError: The table cannot be written, or what it holds afterwards is not what
                was written.
        """
        target, writer = self._target, self._writer()
        written = f"{target.named} was"
        with (
            spark_failures(f"{written} not written, its files cannot be looked at"),
            writer.alone(),
        ):
            # Again: another run may have written it since.
            table = target.check_table(staged.df.schema)
            self.check_rows(staged, keys)
            before = frozenset() if table is None else table.partitions(target.spark, target.name)
            expected = keys.rows
            if table is None:
                writer.create(staged.df)
            elif target.is_overwritten:
                writer.replace(table, staged.df)
            elif target.is_merged:
                self._merge.write(staged, target.name.sql, target.rows())
            else:
                expected = writer.append(table, without_known(staged.df, target.rows(), target.key))
            text = f"{written} written, but not read back to check it"
            with spark_failures(text, "run the same range again"):
                target.check_kept(before)
                return target.read_back(keys, expected)

    def _writer(self) -> Writer:
        return Writer(self._target.spark, self._target.name, self._target.config)
