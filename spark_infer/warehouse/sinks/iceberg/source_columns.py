"""The source's own table, of which the predictions become columns."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.names import Names
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.rows.keys import Keys
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import formats
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.iceberg.find import check_creatable, check_extensions
from spark_infer.warehouse.sinks.iceberg.workspace import Workspace
from spark_infer.warehouse.sinks.sink import Means, Published
from spark_infer.warehouse.sinks.sql.sql_table import SqlTable
from spark_infer.warehouse.sinks.sql.view import View
from spark_infer.warehouse.sinks.target import Target

_PROPERTY = "spark_infer.columns"
"""Where the table keeps the names of the columns that jobs have added."""
_MAX_ATTEMPTS = 10
_BY_SPARK = "jvm: the source itself is written, a table of Iceberg"
_THERE, _OURS = "`spark_infer target`", "`spark_infer rows`"
_log = logging.getLogger(__name__)


class SourceColumns:
    """Columns of predictions in the table that the job reads, one of Iceberg; a ``Sink``.

    Rows are kept on the executors' disks while they are looked at. Then the table gets the columns
    that it lacks, whose values are null. On a branch, which no reader looks at, the run's rows are
    updated by key and counted, and the table is fast-forwarded to it, which is one step. Where
    another has written the table meanwhile, that is done again on what the table is now.

    No row is added or deleted, and no column is written but those that a job has added.

    Args:
        target: The table.
        coverage: Which rows of it the run is about.
    """

    def __init__(self, target: Target, coverage: Coverage) -> None:
        self._target = target
        self._names = Names.of_session(target.spark)
        self._rows = SqlTable(target, coverage)
        self._workspace = Workspace(target)
        self._columns = StructType()

    def check(self, schema: StructType) -> None:
        """Prove that the table has such columns, or can get them.

        Raises:
            WarehouseError: A column that a job has added is of another type, or Iceberg has none
                for it.
            ConfigError: The source has a column of its own with such a name, or Spark is not set
                for Iceberg.
        """
        target = self._target
        check_extensions(target.spark)
        key = [self._names.one(name, schema.names, where="") for name in target.key]
        formats.check_types(target.spark, schema, (), key)
        check_creatable("iceberg", schema, target.section)
        added = set(map(self._names.key, added_columns(target)))
        current = self._current()
        self._columns = self._of_model(schema)
        for name in self._columns.names:
            if self._names.find(name, current.names) and self._names.key(name) not in added:
                raise ConfigError(
                    f"target.into: source table {target.config.table!r} has a column {name!r} of "
                    "its own, which the job would write; rename it there, save the bundle with "
                    "another output, or use mode append, whose predictions stand beside it"
                )
        there = StructType([f for f in current.fields if self._known(f.name, self._columns)])
        ours = StructType([f for f in self._columns.fields if self._known(f.name, current)])
        if problems := formats.differences(there, ours, self._names):
            raise WarehouseError(
                f"source table {target.config.table!r} has predictions of other types: "
                f"{'; '.join(problems)}; drop these columns, or save the bundle with another output"
            )

    def intent(self) -> str:
        """Say what publishing would do to the table."""
        names = ", ".join(self._columns.names)
        return f"columns ({names}) of the source's rows are updated by key"

    def means(self, prediction: Prediction) -> Means:
        """Say how rows would be put into the table."""
        return Means(_BY_SPARK, self._statement(self._target.name.sql, _OURS))

    def recover(self) -> tuple[str, ...]:
        """Drop the branches of runs that were killed; what they had published is whole."""
        self._workspace.recover()
        return ()

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return the rows."""
        return rows

    def stage(self, prediction: Prediction) -> Staged:
        """Score the rows onto the executors' disks, and count them."""
        self._columns = self._of_model(prediction.df.schema)
        staged = self._rows.stage(prediction)
        return Staged(staged.df, staged.rows, staged.rejected, _BY_SPARK)

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Do nothing: rows are updated that the source has, and no others."""

    def discard(self, staged: Staged | None) -> None:
        """Drop the run's branches and what was staged."""
        self._workspace.clear()
        self._rows.discard(staged)

    def publish(self, staged: Staged, keys: Keys) -> Published:
        """Update the rows.

        Raises:
            WarehouseError: Nothing was updated: rows have left the source, or it has several rows
                of one key, or others go on writing it.
        """
        table = self._target.config.table
        if not staged.rows:
            return Published(0, 0)
        with spark_failures(f"source table {table!r} was not written"):
            self._add_columns()
            branches = self._workspace.branches
            for _ in range(_MAX_ATTEMPTS):
                base = branches.head()
                branch = self._workspace.branch(base)
                with View(staged.df) as view:
                    self._target.spark.sql(self._statement(branches.sql(branch), view))
                published = self._counted(branches.rows(branch), staged)
                if branches.fast_forward(branch, base):
                    return published
                _log.warning("another has written table %s; updating its rows again", table)
        raise WarehouseError(
            f"source table {table!r} was not written: others have written it {_MAX_ATTEMPTS} times "
            "while this run was about to; run the same range again when they are done",
            transient=True,
        )

    def _counted(self, rows: DataFrame, staged: Staged) -> Published:
        """Prove that each staged row has updated one row."""
        ours = rows.where(F.col("run_id") == self._target.run_id)
        found = ours.agg(F.count(F.lit(1)), F.count(REASON_COLUMN)).first()
        assert found is not None
        published, table = Published(*found), self._target.config.table
        if published.rows > staged.rows:
            raise WarehouseError(
                f"source table {table!r} was not written: it holds several rows of one key "
                f"{list(self._target.key)}, also where the run does not look "
                f"({published.rows:,} rows instead of {staged.rows:,}); remove all but one of each"
            )
        if published.rows < staged.rows:
            raise WarehouseError(
                f"source table {table!r} was not written: {staged.rows - published.rows:,} of its "
                "rows have left it while they were scored; run again",
                transient=True,
            )
        return published

    def _add_columns(self) -> None:
        """Have the table know its new columns as a job's, and then add them."""
        target, current = self._target, self._current()
        missing = [f for f in self._columns.fields if not self._known(f.name, current)]
        if not missing:
            return
        names = json.dumps([*added_columns(target), *(field.name for field in missing)])
        declared = ", ".join(f"{quoted(f.name)} {f.dataType.simpleString()}" for f in missing)
        alter = f"ALTER TABLE {target.name.sql}"
        target.spark.sql(f"{alter} SET TBLPROPERTIES ('{_PROPERTY}' = {literal(names)})")
        target.spark.sql(f"{alter} ADD COLUMNS ({declared})")

    def _statement(self, into: str, view: str) -> str:
        same, updates = (
            separator.join(
                f"{_THERE}.{name} {sign} {_OURS}.{name}" for name in map(quoted, columns)
            )
            for separator, sign, columns in (
                (" AND ", "<=>", self._target.key),
                (", ", "=", self._columns.names),
            )
        )
        return (
            f"MERGE INTO {into} AS {_THERE} USING {view} AS {_OURS} ON {same} "
            f"WHEN MATCHED THEN UPDATE SET {updates}"
        )

    def _of_model(self, schema: StructType) -> StructType:
        """Return the columns that the source does not have of its own."""
        key = {self._names.key(name) for name in self._target.key}
        return StructType([f for f in schema.fields if self._names.key(f.name) not in key])

    def _current(self) -> StructType:
        table = self._target.table(anew=True)
        assert table is not None  # Its rows are being read.
        return table.columns

    def _known(self, name: str, columns: StructType) -> bool:
        return bool(self._names.find(name, columns.names))


def without_predictions(source: DataFrame, target: Target) -> DataFrame:
    """Return the rows of a source without the columns that jobs have added to it."""
    names = Names.of_session(target.spark)
    added = set(map(names.key, added_columns(target)))
    own = [name for name in source.columns if names.key(name) not in added]
    return source.select(*map(quoted, own)) if added else source


def added_columns(target: Target) -> Sequence[str]:
    """Return the columns that jobs have added to a table of Iceberg."""
    kept = target.name.load(target.spark).properties().get(_PROPERTY)
    return json.loads(str(kept)) if kept is not None else []
