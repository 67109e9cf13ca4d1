"""The target table, looked at before anything is written and afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import WarehouseError, some
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.names import Names
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import TargetConfig
from spark_infer.warehouse.rows.among import MAX_NAMED, among
from spark_infer.warehouse.rows.by_key import without_known
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.sinks import formats
from spark_infer.warehouse.sinks.files.partition import check_names
from spark_infer.warehouse.sinks.lock import WriterLock
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.sink import Published
from spark_infer.warehouse.sinks.table import Table, default_folder


class Target:
    """What a run may write, and whether it has.

    Args:
        spark: A session with the settings ``WRITING``.
        config: The job file's target.
        key: Columns that identify a row.
        run_id: The run, as in the rows' lineage.
        section: Where in the job file it stands, for messages.
    """

    def __init__(
        self,
        spark: SparkSession,
        config: TargetConfig,
        key: tuple[str, ...],
        run_id: str,
        section: str = "target",
    ) -> None:
        self.spark = spark
        self.config = config
        self.key = key
        self.run_id = run_id
        self.section = section
        self._names = Names.of_session(spark)
        self._table: Table | None = None
        self._is_known = False

    @cached_property
    def name(self) -> TableName:
        """The table's name; not of one in a database, which Spark's catalogs do not know.

        Raises:
            ConfigError: It is none, or its catalog is not there.
        """
        return TableName.read(self.spark, self.config.table, key=f"{self.section}.table")

    @property
    def named(self) -> str:
        """What messages call the table."""
        return f"{self.section} table {self.config.table!r}"

    @property
    def is_overwritten(self) -> bool:
        """Whether partitions are replaced."""
        return self.config.mode == "overwrite"

    @property
    def is_merged(self) -> bool:
        """Whether rows are updated and added, by their keys."""
        return self.config.mode == "merge"

    @property
    def is_appended(self) -> bool:
        """Whether rows are added whose keys are not there."""
        return self.config.mode == "append"

    def table(self, *, anew: bool = False) -> Table | None:
        """Return what the catalog says of the table; None where there is none yet.

        Args:
            anew: Whether to ask again: another may have made or changed it since.
        """
        if self.config.jdbc is not None:
            return None  # No catalog of Spark has it.
        if anew or not self._is_known:
            self._table, self._is_known = Table.find(self.spark, self.name), True
        return self._table

    def intent(self, *, empties: bool, is_there: bool | None = None) -> str:
        """Say what publishing would do to the table.

        Args:
            empties: Whether an overwrite empties partitions that it has no rows for.
            is_there: Whether the table is; None asks Spark's catalog.
        """
        key, by = ", ".join(self.key), ", ".join(self.config.partition_by)
        if is_there is None:
            is_there = self.table() is not None
        if not is_there:
            return "it is created"
        if self.is_merged:
            deleted = ", and those are deleted whose keys have left the source"
            return (
                f"rows are updated and added by key ({key})"
                f"{deleted if self.config.delete_missing else ''}"
            )
        if not self.is_overwritten:
            return f"the rows are added whose keys ({key}) it does not have"
        emptied = ", those that it is about and has none for are emptied"
        return (
            f"the partitions (by {by}) that the run has rows for are replaced"
            f"{emptied if empties else ''}"
        )

    def check_named(self) -> None:
        """Prove that the table is there, or that one of its name can be made.

        Raises:
            WarehouseError: The database is not there.
            ConfigError: The catalog does not take the name.
        """
        if self.table() is None:
            self.name.check_free(self.spark, key=f"{self.section}.table")

    def refresh_in(self, other: SparkSession) -> None:
        """Have another session look at the table anew, of whose files it may know of before."""
        if self.config.jdbc is not None:
            return
        with suppress(*SPARK_FAILURES):
            if other.catalog.tableExists(self.name.sql):
                other.sql(f"REFRESH TABLE {self.name.sql}")

    def rows(self) -> DataFrame:
        """Return the rows of the table, which is there."""
        return self.spark.table(self.name.sql)

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written, and come back as they are.

        Raises:
            WarehouseError: The table is of another kind, has other columns, types or partitions,
                or its database is not there.
            ConfigError: The format is not there, or does not give back what was written.
        """
        formats.check_declared(self.spark, self.config.format, self.section)
        wanted = self.partition_columns(schema.names)
        key = [self._names.one(name, schema.names, where="") for name in self.key]
        formats.check_types(self.spark, schema, wanted, key)
        self.check_table(schema)

    def check_table(self, schema: StructType) -> Table | None:
        """Prove it of the table that is there now, which is returned, or of one that is not."""
        table, named = self.table(anew=True), self.named
        if table is None:
            self.name.check_free(self.spark, key=f"{self.section}.table")
            formats.check_storable(self.spark, self.config.format, schema, self.section)
            formats.check_held(self.spark, self.config.format, schema, self.section)
            self._check_folder_is_free()
            return None
        formats.check_found(named, table)
        formats.check_held(self.spark, table.format, schema, self.section)
        if table.folder is not None and not table.folder.exists():
            has_rows = table.kind == "MANAGED" or bool(table.partitions(self.spark, self.name))
            if has_rows:
                raise WarehouseError(
                    f"{named}: its folder {table.folder} is not there; mount or "
                    "restore it, or drop the table"
                )
        problems = formats.differences(table.columns, schema, self._names)
        if problems:
            raise WarehouseError(
                f"{named} has other columns than this job writes: "
                f"{'; '.join(problems)}; write to another table or alter this one"
            )
        wanted = [self._names.key(name) for name in self.config.partition_by]
        if [self._names.key(name) for name in table.partition_columns] != wanted:
            raise WarehouseError(
                f"{named} is partitioned by {list(table.partition_columns)}, the job "
                f"says {list(self.config.partition_by)}; correct target.partition_by"
            )
        check_names(self.spark, self.name, table, named=named)
        return table

    def held(self, df: DataFrame) -> DataFrame:
        """Return rows that end the query where a partition's value would not come back."""
        by = set(map(self._names.key, self.config.partition_by))
        columns = (
            formats.held_partition_value(field.name, field.dataType).alias(field.name)
            if self._names.key(field.name) in by
            else F.col(quoted(field.name))
            for field in df.schema.fields
        )
        return df.select(*columns)

    def check_has_rows(self, keys: Keys) -> None:
        """Raise WarehouseError where there are no rows, and no table that could have known them."""
        if not keys.rows:
            raise WarehouseError(
                f"there are no rows to score, and no table {self.config.table!r} yet: look at "
                "the source, source.filter, rows and the parameters"
            )

    def check_kept(self, before: frozenset[str]) -> None:
        """Prove that the partitions that the table had are still there."""
        if not before:
            return
        table = self.table()
        now = frozenset[str]() if table is None else table.partitions(self.spark, self.name)
        lost = sorted(before - now)
        if lost:
            raise WarehouseError(
                f"{self.named} was written, and {some(lost)}, which it had "
                "before, is gone: something else removed it meanwhile; score it again"
            )

    def read_back(self, keys: Keys, expected: int) -> Published:
        """Prove that the table holds the run's rows, and its partitions no others."""
        found, others = self.count(self.rows(), keys.partitions)
        if found.rows != expected or others:
            raise WarehouseError(
                f"{self.named} was written, and holds {found.rows:,} "
                f"rows of run {self.run_id} instead of {expected:,}, beside {others:,} others in "
                "the same partitions: something else wrote it meanwhile, or the source changed "
                "while rows of a lost executor were scored again; run the same range again"
            )
        return found

    def count(self, rows: DataFrame, partitions: frozenset[Partition]) -> tuple[Published, int]:
        """Count the run's rows, and others in its partitions, of which an overwrite leaves none.

        Args:
            rows: The table's.
            partitions: The run's.

        Returns:
            The run's rows; the number of others, 0 unless the mode is overwrite.
        """
        ours = F.col("run_id") == self.run_id
        is_pruned = self.config.partition_by and 0 < len(partitions) <= MAX_NAMED
        looked_at = self.within(rows, partitions) if is_pruned else rows.where(ours)
        found = looked_at.agg(
            F.count_if(ours).alias("rows"),
            F.count_if(ours & F.col(REASON_COLUMN).isNotNull()).alias("rejected"),
            F.count_if(~ours).alias("others"),
        ).first()
        assert found is not None
        others = found["others"] if self.is_overwritten else 0
        return Published(found["rows"], found["rejected"]), others

    def in_partitions(self, partitions: frozenset[Partition]) -> DataFrame:
        """Return the rows in some partitions, or all where those are too many to name."""
        return self.within(self.rows(), partitions)

    def within(self, rows: DataFrame, partitions: frozenset[Partition]) -> DataFrame:
        """Return those of the table's rows, at whatever time, that are in some partitions."""
        if not 0 < len(partitions) <= MAX_NAMED:
            return rows
        return among(rows, self.partition_columns(rows.columns), partitions)

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return the rows that are to be scored: of an append those that are not there yet."""
        if not self.is_appended or self.table() is None:
            return rows
        known = self.rows()
        if not all(self._names.find(name, known.columns) for name in self.key):
            return rows  # The check of the table's columns tells.
        return without_known(rows, known, self.key)

    def partition_columns(self, columns: Sequence[str]) -> list[str]:
        """Return the partition columns as some columns of rows spell them."""
        return [self._names.one(name, columns, where="") for name in self.config.partition_by]

    def _check_folder_is_free(self) -> None:
        folder = default_folder(self.spark, self.name)
        if folder is None or folder.is_empty():
            return
        if folder.local is not None and WriterLock(folder.local).was_interrupted:
            return  # By a run like this one, which will clear it away.
        forgets = self.spark.conf.get("spark.sql.catalogImplementation") == "in-memory"
        why = "no table of that name is in the catalog"
        if forgets:
            why = "the Spark session's catalog is in memory and has forgotten the table"
        raise WarehouseError(
            f"{self.named} cannot be created: {folder} holds files, and "
            f"{why}; use the catalog that knows it (spark.sql.catalogImplementation: hive and its "
            "metastore), or remove the folder"
        )
