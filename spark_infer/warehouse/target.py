"""The target table: checked before, written in one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import and_

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import reason
from spark_infer.spark.names import Names, unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import LINEAGE_COLUMNS, TargetConfig

_OVERWRITE_MODE = "spark.sql.sources.partitionOverwriteMode"


class Target:
    """The table that receives the predictions.

    Args:
        spark: The session.
        config: The job file's target.
        key: Columns that identify a row.
    """

    def __init__(self, spark: SparkSession, config: TargetConfig, key: Sequence[str]) -> None:
        self._spark = spark
        self._config = config
        self._key = list(key)
        self._names = Names.of_session(spark)

    @property
    def exists(self) -> bool:
        """Whether the table is there."""
        return self._spark.catalog.tableExists(self._config.table)

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written.

        Raises:
            WarehouseError: The table has other columns, types or partitions, or its database is
                not there.
        """
        table = self._config.table
        if not self.exists:
            self._check_database()
            return
        current = self._spark.table(table).schema
        problems = _differences(current, schema, self._names)
        if problems:
            raise WarehouseError(
                f"target table {table!r} has other columns than this job writes: "
                f"{'; '.join(problems)}; write to another table or alter this one"
            )
        columns = self._spark.catalog.listColumns(table)
        partitions = [column.name for column in columns if column.isPartition]
        wanted = [self._names.key(name) for name in self._config.partition_by]
        if [self._names.key(name) for name in partitions] != wanted:
            raise WarehouseError(
                f"target table {table!r} is partitioned by {partitions}, the job says "
                f"{list(self._config.partition_by)}; correct target.partition_by"
            )

    def new_rows(self, df: DataFrame) -> DataFrame:
        """Leave out the rows that are there already when the mode is append."""
        if self._config.mode == "overwrite" or not self.exists:
            return df
        places = unused(df.columns, len(self._key))
        pairs = list(zip(map(quoted, self._key), places, strict=True))
        there = self._spark.table(self._config.table).select(
            *(F.col(name).alias(place) for name, place in pairs)
        )
        same = reduce(and_, (F.col(name) == F.col(place) for name, place in pairs))
        return df.join(there, on=same, how="left_anti")

    def write(self, df: DataFrame) -> None:
        """Write the rows; when that fails the table is as it was before.

        Raises:
            WarehouseError: The table cannot be created.
        """
        with self._created(df.schema):
            columns = self._spark.table(self._config.table).columns
            ordered = df.select(*map(quoted, columns))
            if self._config.mode == "append":
                ordered.write.insertInto(self._config.table)
                return
            with self._dynamic_overwrite():
                ordered.write.insertInto(self._config.table, overwrite=True)

    @contextmanager
    def _created(self, schema: StructType) -> Iterator[None]:
        """Create the table when it is missing, and drop it again when the write fails."""
        if self.exists:
            yield
            return
        empty = _empty(self._spark, schema)
        writer = empty.write.format(self._config.format).partitionBy(*self._config.partition_by)
        try:
            writer.saveAsTable(self._config.table)
        except AnalysisException as error:
            raise WarehouseError(
                f"target table {self._config.table!r} cannot be created: {reason(error)}"
            ) from None
        try:
            yield
        except BaseException:
            self._spark.sql(f"DROP TABLE IF EXISTS {self._config.table}")
            raise

    @contextmanager
    def _dynamic_overwrite(self) -> Iterator[None]:
        """Replace only the partitions that rows are written to."""
        before = self._spark.conf.get(_OVERWRITE_MODE)
        self._spark.conf.set(_OVERWRITE_MODE, "dynamic")
        try:
            yield
        finally:
            self._spark.conf.set(_OVERWRITE_MODE, str(before))

    def _check_database(self) -> None:
        *database, _ = self._config.table.split(".")
        try:
            found = not database or self._spark.catalog.databaseExists(".".join(database))
        except AnalysisException as error:
            raise ConfigError(f"target.table {self._config.table!r}: {reason(error)}") from None
        if not found:
            name = ".".join(database)
            raise WarehouseError(
                f"target table {self._config.table!r}: database {name!r} is not there; "
                f"CREATE DATABASE {name}"
            )


def lineage(df: DataFrame, *, name: str, digest: str, run_id: str) -> DataFrame:
    """Add the columns that say by what and when each row was scored."""
    columns = (F.lit(name), F.lit(digest), F.lit(run_id), F.current_timestamp())
    # Not withColumns, which puts them in the place of columns whose names are much like theirs.
    added = zip(columns, LINEAGE_COLUMNS, strict=True)
    return df.select("*", *(column.alias(column_name) for column, column_name in added))


def _empty(spark: SparkSession, schema: StructType) -> DataFrame:
    """Return no rows, made in the JVM: those of createDataFrame would start Python workers."""
    columns = [
        F.lit(None).cast(field.dataType).alias(field.name, metadata=field.metadata)
        for field in schema.fields
    ]
    return spark.range(0).select(*columns)


def _differences(current: StructType, wanted: StructType, names: Names) -> list[str]:
    there = {names.key(field.name): field.dataType for field in current.fields}
    ours = {names.key(field.name): field.dataType for field in wanted.fields}
    problems = [f"column {name!r} is missing" for name in ours if name not in there]
    problems += [f"column {name!r} is not written" for name in there if name not in ours]
    problems += [
        f"column {name!r} is {there[name].simpleString()}, not {kind.simpleString()}"
        for name, kind in ours.items()
        if name in there and names.key(there[name].simpleString()) != names.key(kind.simpleString())
    ]
    return problems
