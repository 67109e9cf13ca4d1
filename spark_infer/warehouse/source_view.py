"""The view in which a source has its predictions as columns, which stand in a table beside it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql.types import StructType

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.names import Names
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.sinks import Target
from spark_infer.warehouse.sinks.name import SESSION_CATALOG, TableName

_PROPERTY = "spark_infer.source"
"""By which a view is known as one that a job has made."""


@dataclass(frozen=True)
class SourceView:
    """Keeps the view of a job whose target is beside its source.

    Each row of the source stands there once: a row without a prediction has nulls.

    Attributes:
        config: The job file.
        target: The table beside the source.
    """

    config: JobConfig
    target: Target

    @classmethod
    def of(cls, config: JobConfig, target: Target) -> SourceView | None:
        """Return the view of a job; None where it has none."""
        return None if config.target.view is None else cls(config, target)

    def check(self, written: StructType) -> None:
        """Prove, before a row is read, that there can be such a view.

        Args:
            written: The columns that the job writes.

        Raises:
            ConfigError: The view's name is taken or none, the source has a column of a prediction's
                name, or rows are told apart by what the source does not have.
            WarehouseError: The view's database is not there.
        """
        spark, config = self.target.spark, self.config
        names, source = Names.of_session(spark), self._source
        if source.is_temporary_view(spark):
            raise ConfigError(
                f"target.into: source {config.source.table!r} is a temporary view, which no other "
                "session sees; name a table"
            )
        for name in self._matched:
            if names.find(name, list(config.features)):
                raise ConfigError(
                    f"target.into: source rows and predictions are joined by column {name!r}, "
                    "which is a feature of the job; use columns of the source for key and "
                    "target.partition_by"
                )
        columns = spark.table(source.sql).columns
        for name in self._added(written.names):
            if names.find(name, columns):
                raise ConfigError(
                    f"target.view: the source has a column {name!r}, as the predictions do; rename "
                    "it there, or save the bundle with another output"
                )
        view = self._view
        if view.catalog != SESSION_CATALOG:
            raise ConfigError(
                f"target.view {config.target.view!r}: only Spark's own catalog keeps views; name "
                f"one there, such as {SESSION_CATALOG}.default.{view.table}"
            )
        if names.key(view.sql) in map(names.key, (source.sql, self.target.name.sql)):
            raise ConfigError(
                f"target.view: {config.target.view!r} is the name of the source or of the table "
                "beside it; name another view"
            )
        if not spark.catalog.tableExists(view.sql):
            view.check_free(spark, key="target.view")
        elif not self._is_ours(view):
            raise ConfigError(
                f"target.view: {config.target.view!r} is there, and no job has made it; name "
                "another view, or drop it"
            )

    def keep(self) -> None:
        """Have the view show what source and table have now.

        Raises:
            WarehouseError: It cannot be made; the table was written.
        """
        spark, source, view = self.target.spark, self._source, self._view
        table = self.target.table(anew=True)
        if table is None:
            return  # Nothing was published yet.
        columns = [f"s.{quoted(name)}" for name in spark.table(source.sql).columns]
        columns += [f"p.{quoted(name)}" for name in self._added(table.columns.names)]
        same = " AND ".join(f"s.{c} <=> p.{c}" for c in map(quoted, self._matched))
        told = f"target table {self.config.target.table!r} was written, and view"
        with spark_failures(
            f"{told} {self.config.target.view!r} cannot be made", kind=WarehouseError
        ):
            spark.sql(
                f"CREATE OR REPLACE VIEW {view.sql} TBLPROPERTIES ('{_PROPERTY}' = 'true') AS "
                f"SELECT {', '.join(columns)} FROM {source.sql} AS s "
                f"LEFT JOIN {self.target.name.sql} AS p ON {same}"
            )

    @property
    def _source(self) -> TableName:
        assert self.config.source.table is not None  # The job file has it.
        return TableName.read(self.target.spark, self.config.source.table, key="source.table")

    @property
    def _view(self) -> TableName:
        assert self.config.target.view is not None
        return TableName.read(self.target.spark, self.config.target.view, key="target.view")

    @property
    def _matched(self) -> list[str]:
        """Columns by which a row and its prediction are found."""
        names = Names.of_session(self.target.spark)
        found = {names.key(c): c for c in (*self.config.key, *self.config.target.partition_by)}
        return [*found.values()]

    def _added(self, written: list[str]) -> list[str]:
        """Return the columns that the source does not give."""
        names = Names.of_session(self.target.spark)
        given = set(map(names.key, (*self.config.key, *self.config.target.keep)))
        return [name for name in written if names.key(name) not in given]

    def _is_ours(self, view: TableName) -> bool:
        found = self.target.spark.sql(f"SHOW TBLPROPERTIES {view.sql}").collect()
        return any(row["key"] == _PROPERTY for row in found)
