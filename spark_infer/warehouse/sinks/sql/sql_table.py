"""A table of files: checked before, written by one run at a time, looked at again afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import WarehouseError, some
from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.names import Names
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import TargetConfig
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.rows.staging import Staged, drop, stage
from spark_infer.warehouse.sinks import formats
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.lock import WriterLock
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.sink import Published
from spark_infer.warehouse.sinks.table import Table, default_folder
from spark_infer.warehouse.sinks.writer import Writer

_MAX_PRUNED = 500
"""Partitions that a query may name; more are looked for by the run's id alone."""


class FileTable:
    """A table of files that receives the predictions; a ``Sink``.

    Rows are staged in Spark's own storage, on the executors' disks.

    One run of spark_infer at a time writes a table whose folder is on a local file system; others
    wait. On other file systems whoever starts the runs must see that they do not overlap. A run
    that is killed while it publishes can leave some of its partitions new and others old, or
    part of its rows appended; running it again completes it.

    Args:
        spark: A session with the settings ``WRITING``.
        config: The job file's target.
        key: Columns that identify a row.
        coverage: Which rows of the target the run replaces.
        run_id: The run, as in the rows' lineage.
        beside: The user's session, which is to see what was published.

    Raises:
        ConfigError: The table's name is none, or its catalog is not there.
    """

    def __init__(
        self,
        spark: SparkSession,
        config: TargetConfig,
        key: Sequence[str],
        coverage: Coverage,
        run_id: str,
        *,
        beside: SparkSession,
    ) -> None:
        self._spark = spark
        self._beside = beside
        self._config = config
        self._key = list(key)
        self._coverage = coverage
        self._run_id = run_id
        self._names = Names.of_session(spark)
        self._name = TableName.read(spark, config.table, key="target.table")

    @property
    def _is_overwritten(self) -> bool:
        return self._config.mode == "overwrite"

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written, and come back as they are.

        Raises:
            WarehouseError: The table is of another kind, has other columns, types or partitions,
                or its database is not there.
            ConfigError: The format is not there, or does not give back what was written.
        """
        formats.check_declared(self._spark, self._config.format)
        wanted = [self._names.one(n, schema.names, where="") for n in self._config.partition_by]
        key = [self._names.one(name, schema.names, where="") for name in self._key]
        formats.check_types(self._spark, schema, wanted, key)
        self._check_table(schema)
        Writer(self._spark, self._name, self._config, self._key)  # Its lock can have a name.

    def intent(self) -> str:
        """Say what publishing would do to the table."""
        if self._table() is None:
            return "it is created"
        if self._is_overwritten:
            by = ", ".join(self._config.partition_by)
            return f"the partitions (by {by}) that the run has rows for are replaced"
        return f"the rows are added whose keys ({', '.join(self._key)}) it does not have"

    def check_rows(self, keys: Keys, schema: StructType) -> None:
        """Prove that these rows leave nothing behind, and come back as they are.

        Raises:
            WarehouseError: A partition's value would come back as another, there is no row at all,
                or the table holds partitions of this run's range whose rows have left the source,
                or rows in the run's partitions that the run is not about.
        """
        self._check_partition_values(keys, schema)
        table = self._table()
        if table is None:
            if not keys.rows:
                raise WarehouseError(
                    f"there are no rows to score, and no table {self._config.table!r} yet: look at "
                    "the source, source.filter, rows and the parameters"
                )
        elif self._is_overwritten:
            rows, by = self._spark.table(self._name.sql), self._config.partition_by
            self._coverage.check_stale(rows, keys, by, table=self._config.table)
            replaced = self._in_partitions(rows, keys)
            self._coverage.check_replaced(replaced, keys, by, table=self._config.table)

    def stage(self, df: DataFrame, keys: Keys) -> Staged:
        """Score the rows onto the executors' disks, and count them.

        Raises:
            WarehouseError: They are not the rows whose keys were checked.
        """
        return stage(df, keys, self._key, self._config.partition_by)

    def discard(self, staged: Staged) -> None:
        """Drop what was staged."""
        drop(staged.df)

    def publish(self, staged: Staged) -> Published:
        """Write the rows, and look whether they are there.

        Where it raises an error whose message does not say that the table was written, the table
        is as it was before.

        Raises:
            WarehouseError: The table cannot be written, or what it holds afterwards is not what
                was written.
        """
        text = f"target table {self._config.table!r} was not written, its files cannot be looked at"
        try:
            with spark_failures(text):
                return self._write(staged.df, staged.keys)
        finally:
            self._refresh()

    def _write(self, df: DataFrame, keys: Keys) -> Published:
        writer = Writer(self._spark, self._name, self._config, self._key)
        with writer.alone():
            # Again: another run may have written it since.
            table = self._check_table(df.schema)
            self.check_rows(keys, df.schema)
            before = frozenset() if table is None else table.partitions(self._spark, self._name)
            expected = keys.rows
            if table is None:
                writer.create(df)
            elif self._is_overwritten:
                writer.replace(table, df)
            else:
                expected = writer.append(table, df)
            text = f"target table {self._config.table!r} was written, but not read back to check it"
            with spark_failures(text, "run the same range again"):
                self._check_kept(before)
                return self._read_back(keys, expected)

    def _refresh(self) -> None:
        """Have the other session look at the table anew, of whose files it may know of before."""
        with suppress(*SPARK_FAILURES):
            if self._beside.catalog.tableExists(self._name.sql):
                self._beside.sql(f"REFRESH TABLE {self._name.sql}")

    def _table(self) -> Table | None:
        return Table.find(self._spark, self._name)

    def _check_table(self, schema: StructType) -> Table | None:
        table, text = self._table(), repr(self._config.table)
        if table is None:
            self._name.check_free(self._spark, key="target.table")
            formats.check_storable(self._spark, self._config.format, schema)
            formats.check_held(self._spark, self._config.format, schema)
            self._check_folder_is_free()
            return None
        formats.check_found(text, table)
        formats.check_held(self._spark, table.format, schema)
        if table.folder is not None and not table.folder.exists():
            has_rows = table.kind == "MANAGED" or bool(table.partitions(self._spark, self._name))
            if has_rows:
                raise WarehouseError(
                    f"target table {text}: its folder {table.folder} is not there; mount or "
                    "restore it, or drop the table"
                )
        problems = formats.differences(table.columns, schema, self._names)
        if problems:
            raise WarehouseError(
                f"target table {text} has other columns than this job writes: "
                f"{'; '.join(problems)}; write to another table or alter this one"
            )
        wanted = [self._names.key(name) for name in self._config.partition_by]
        if [self._names.key(name) for name in table.partition_columns] != wanted:
            raise WarehouseError(
                f"target table {text} is partitioned by {list(table.partition_columns)}, the job "
                f"says {list(self._config.partition_by)}; correct target.partition_by"
            )
        return table

    def _check_folder_is_free(self) -> None:
        folder = default_folder(self._spark, self._name)
        if folder is None or folder.is_empty():
            return
        if folder.local is not None and WriterLock(folder.local).was_interrupted:
            return  # By a run like this one, which will clear it away.
        forgets = self._spark.conf.get("spark.sql.catalogImplementation") == "in-memory"
        why = "no table of that name is in the catalog"
        if forgets:
            why = "the Spark session's catalog is in memory and has forgotten the table"
        raise WarehouseError(
            f"target table {self._config.table!r} cannot be created: {folder} holds files, and "
            f"{why}; use the catalog that knows it (spark.sql.catalogImplementation: hive and its "
            "metastore), or remove the folder"
        )

    def _check_partition_values(self, keys: Keys, schema: StructType) -> None:
        types = {self._names.key(field.name): field.dataType for field in schema.fields}
        problems = []
        for values in keys.partitions:
            for name, value in zip(self._config.partition_by, values, strict=True):
                kind = types[self._names.key(name)]
                problems.append(formats.check_partition_value(name, kind, value))
        found = sorted({problem for problem in problems if problem})
        if found:
            raise WarehouseError(
                f"target.partition_by: {some(found)}; give such rows another value with a "
                "feature, or remove them with source.filter"
            )

    def _check_kept(self, before: frozenset[str]) -> None:
        """Prove that the partitions that the table had are still there."""
        table = self._table()
        now = frozenset[str]() if table is None else table.partitions(self._spark, self._name)
        lost = sorted(before - now)
        if lost:
            raise WarehouseError(
                f"target table {self._config.table!r} was written, and {some(lost)}, which it had "
                "before, is gone: something else removed it meanwhile; score it again"
            )

    def _read_back(self, keys: Keys, expected: int) -> Published:
        """Prove that the table holds the run's rows, and its partitions no others."""
        rows = self._spark.table(self._name.sql)
        ours = F.col("run_id") == self._run_id
        is_pruned = self._config.partition_by and 0 < len(keys.partitions) <= _MAX_PRUNED
        rows = self._in_partitions(rows, keys) if is_pruned else rows.where(ours)
        found = rows.agg(
            F.count_if(ours).alias("rows"),
            F.count_if(ours & F.col(REASON_COLUMN).isNotNull()).alias("rejected"),
            F.count_if(~ours).alias("others"),
        ).first()
        assert found is not None
        others = found["others"] if self._is_overwritten else 0
        if found["rows"] != expected or others:
            raise WarehouseError(
                f"target table {self._config.table!r} was written, and holds {found['rows']:,} "
                f"rows of run {self._run_id} instead of {expected:,}, beside {others:,} others in "
                "the same partitions: something else wrote it meanwhile, or the source changed "
                "while rows of a lost executor were scored again; run the same range again"
            )
        return Published(found["rows"], found["rejected"])

    def _in_partitions(self, rows: DataFrame, keys: Keys) -> DataFrame:
        """Return the rows in the partitions of the run, or all where those are too many to name."""
        if not 0 < len(keys.partitions) <= _MAX_PRUNED:
            return rows
        return rows.where(reduce(or_, map(self._is_in, keys.partitions)))

    def _is_in(self, values: Partition) -> Column:
        pairs = zip(self._config.partition_by, values, strict=True)
        return reduce(
            and_, (F.col(quoted(n)).cast("string").eqNullSafe(F.lit(value)) for n, value in pairs)
        )
