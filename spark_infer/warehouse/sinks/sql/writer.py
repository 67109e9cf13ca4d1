"""Writes into a table: alone, and knowing what a run that was killed has left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES, explained
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import TargetConfig
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.lock import WriterLock
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.table import Table, default_folder

WRITING = {
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "hive.exec.dynamic.partition": "true",
    "hive.exec.dynamic.partition.mode": "nonstrict",
    # By the other algorithm a task that ends publishes its rows, whatever becomes of the others.
    "mapreduce.fileoutputcommitter.algorithm.version": "1",
}
"""Settings of the session that writes: replace the partitions of the rows, and no others."""

_IN_PART = "was not written, or in part, and the same range must run again"
_log = logging.getLogger(__name__)


class Writer:
    """Writes the rows of one run.

    Args:
        spark: A session with the settings ``WRITING``.
        name: The table.
        config: The job file's target.
    """

    def __init__(self, spark: SparkSession, name: TableName, config: TargetConfig) -> None:
        self._spark = spark
        self._name = name
        self._config = config
        table = self._table()
        self._folder = default_folder(spark, name) if table is None else table.folder
        path = None if self._folder is None else self._folder.local
        self._lock = None if path is None else WriterLock(path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs from the table, and clear away what one that was killed has left.

        Only where the table's folder is on a local file system.
        """
        if self._lock is None or self._folder is None:
            yield
            return
        with self._lock.held(self._config.table):
            if self._lock.was_interrupted:
                self._clear_away(self._folder)
            self._folder.sweep()
            yield

    def create(self, df: DataFrame) -> None:
        """Create the table and fill it in one step: the catalog learns of it when it is filled."""
        folder = self._folder

        def clean() -> None:
            # The folder was empty before. The mark stays: a task that has not heard of the failure
            # may stage rows yet, which the next run clears away.
            if folder is not None and self._table() is None:
                folder.remove_staging()

        writer = df.write.format(self._config.format).partitionBy(*self._config.partition_by)
        with self._publishing("cannot be created", clean):
            writer.mode("errorifexists").saveAsTable(self._name.sql)

    def replace(self, table: Table, df: DataFrame) -> None:
        """Replace the partitions that rows are there for."""
        ordered = df.select(*map(quoted, table.columns.names))
        with self._publishing(_IN_PART):
            ordered.write.insertInto(self._name.sql, overwrite=True)

    def append(self, table: Table, df: DataFrame) -> int:
        """Add rows, and return their number.

        Raises:
            WarehouseError: Another program writes into the table's folder.
        """
        if table.folder is not None and table.folder.has_foreign_writer():
            raise WarehouseError(
                f"another program is writing into {table.folder}, or was killed while it did, and "
                "its rows would be published with this run's; run again when it is done, or remove "
                f"{table.folder}/_temporary when nothing is running",
                transient=True,
            )
        ordered = df.select(*map(quoted, table.columns.names))
        observed = Observation()
        counted = ordered.observe(observed, F.count(F.lit(1)).alias("rows"))
        with self._publishing(_IN_PART):
            counted.write.insertInto(self._name.sql)
        return int(observed.get["rows"])

    def _table(self) -> Table | None:
        return Table.find(self._spark, self._name)

    def _clear_away(self, folder: Folder) -> None:
        table = self._table()
        if table is None:
            folder.remove_staging()
            if not folder.is_empty():
                _log.warning(
                    "a run that was killed left files in %s, but no table; they are now in %s",
                    folder,
                    folder.move_aside(),
                )
        else:
            folder.remove_temporary()
            if table.has_partitions and self._config.mode == "append":
                # Rows that it published without telling the catalog would come to light when this
                # run adds to their partitions. Now they count as there.
                self._spark.sql(f"ALTER TABLE {self._name.sql} RECOVER PARTITIONS")
        if self._lock is not None:
            self._lock.end()

    @contextmanager
    def _publishing(self, what: str, clean: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Mark the table as being written; the mark stays when the write does not end well."""
        if self._lock is not None:
            self._lock.begin()
        try:
            yield
        except SPARK_FAILURES as error:
            with suppress(*SPARK_FAILURES):  # Where the JVM is gone, the next run clears away.
                clean()
            raise explained(error, f"target table {self._config.table!r} {what}") from None
        if self._lock is not None:
            self._lock.end()
