"""Which rows a run scores, and what the target keeps of those that it does not."""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import suppress
from dataclasses import replace
from functools import reduce

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle import Bundle
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.features import Featured
from spark_infer.spark.model_columns import ModelColumns
from spark_infer.spark.names import Names, unused
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.source import as_column
from spark_infer.warehouse.config import LINEAGE_COLUMNS, JobConfig
from spark_infer.warehouse.config.incremental import GONE_COLUMN, HASH_COLUMN
from spark_infer.warehouse.ledger.content import VERSION, content_hash
from spark_infer.warehouse.ledger.kept_rows import KeptRows
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import Coverage, Sink, Target
from spark_infer.warehouse.sinks.sql.sql_table import SqlTable

_, _DIGEST, _, _ = LINEAGE_COLUMNS
_TYPES = {HASH_COLUMN: "STRING", GONE_COLUMN: "TIMESTAMP"}
_log = logging.getLogger(__name__)


class Ledger:
    """Tells new and changed rows from those that the target has as they would be scored again.

    A row is as it was where the target has its key (in its partition, in mode overwrite) with the
    hash of the same values, the same bundle's digest and a prediction. Whatever else stands in the
    column of hashes, or nothing, has the row scored: damage costs time and no row.

    In mode overwrite rows that are as they were are carried over into the partitions that are
    replaced. They have this run's id, by whom the row was written, and the time and digest by which
    it was scored. A merge stages what is scored alone.

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
        self._rows: DataFrame | None = None
        self._changed: DataFrame | None = None
        self._num_rows = 0
        self._num_scored: int | None = None
        self._has_others = False
        self._kept = KeptRows(config, bundle, target, coverage, self._match, started_at)

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

    def pending(self, rows: Featured) -> Featured:
        """Return the rows that are to be scored, with the columns of the ledger.

        Args:
            rows: Those that the run is about.

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
            rows = replace(rows, df=self._with_columns(rows))
        self._rows = rows.df
        there = self._as_scored()
        if there is None:
            return rows
        compared, known = self._with_state(rows.df), self._with_state(there)
        state = compared.columns[-1]
        known = known.withColumnRenamed(known.columns[-1], state)
        whole = Matched([*self._match.columns, state], self._names)
        self._changed = self._match.keys(whole.those_not_in(compared, known))
        return replace(rows, df=self._match.those_in(rows.df, self._changed))

    def beside(self, prediction: Prediction) -> Prediction:
        """Return what is predicted, with what the target keeps of the rows that are not."""
        assert self._rows is not None
        there, columns = self._as_scored(), prediction.df.columns
        others = []
        if there is not None and self._target.is_overwritten:
            assert self._changed is not None
            same = self._match.those_not_in(there, self._changed)
            others.append(self._kept.carried(self._rows, same, columns))
        if self._has_all_columns() and self._kept.stay:
            others.append(self._kept.left(self._rows, columns))
        if not others:
            return prediction
        self._has_others = True
        return replace(prediction, others=reduce(DataFrame.unionByName, others))

    def compare(self) -> dict[str, int]:
        """Find out which rows are to be scored, and return how many are as they were."""
        if self._target.is_appended or self._rows is None:
            return {}
        if self._changed is None and not self._has_others:
            return {"rows_unchanged": 0}
        rows = changed = self._rows.count()
        if self._changed is not None:
            self._changed.persist(StorageLevel.MEMORY_AND_DISK)
            changed = self._changed.count()
            self._tell_unknown()
        self._num_rows, self._num_scored = rows, changed
        return {"rows_unchanged": max(rows - changed, 0)}

    def counted(self, staged: Staged) -> Staged:
        """Return what is staged, with the number of rows in it that were not scored.

        Raises:
            WarehouseError: Rows are missing that were neither scored nor carried over.
        """
        if self._num_scored is None:
            return staged
        if self._target.is_overwritten:
            self._check_all_there(staged)
        return replace(staged, carried=max(staged.rows - self._num_scored, 0))

    def end(self) -> None:
        """Forget what was found out."""
        with suppress(*SPARK_FAILURES):  # A JVM that is gone keeps nothing.
            if self._changed is not None:
                self._changed.unpersist()

    def _with_columns(self, rows: Featured) -> DataFrame:
        read = ModelColumns.find(rows, self._bundle.signature, self._names)
        model = [(as_column(read.columns[name]), read.types[name]) for name in read.columns]
        added = {
            HASH_COLUMN: content_hash(model),
            GONE_COLUMN: F.lit(None).cast("timestamp"),
        }
        return rows.df.select("*", *(added[name].alias(name) for name in self.columns))

    def _as_scored(self) -> DataFrame | None:
        """Return the target's rows that this bundle has scored; None where all are to be scored."""
        target = self._target
        if not self._config.incremental.compares(self._config.target.mode):
            return None
        if not self._has_all_columns():
            return None
        rows = target.rows()
        is_known = F.col(_DIGEST) == self._bundle.digest
        known = rows.where(is_known & F.col(REASON_COLUMN).isNull())
        is_marked = self._names.find(GONE_COLUMN, rows.columns)
        # One that comes back is scored again, which takes the mark away.
        return known.where(F.col(GONE_COLUMN).isNull()) if is_marked else known

    def _has_all_columns(self) -> bool:
        """Return whether the target is there; where it has other columns its check tells."""
        table = self._target.table()
        outputs = [output.name for output in self._bundle.signature.outputs]
        kept = [*self._match.columns, *self._config.target.keep, *self.columns]
        wanted = [*kept, *outputs, REASON_COLUMN, *LINEAGE_COLUMNS]
        there = () if table is None else table.columns.names
        return all(self._names.find(name, there) for name in wanted)

    def _with_state(self, rows: DataFrame) -> DataFrame:
        """Return key and, in the last column, what must be the same for a row to be as it was."""
        keys = self._match.keys(rows)
        (name,) = unused(keys.columns, 1)
        state = F.col(HASH_COLUMN)
        if self._target.is_merged and self._config.target.keep:
            # A merge leaves the whole row as it is. Text, because maps cannot be compared.
            keep, there = self._config.target.keep, rows.columns
            kept = [self._names.one(column, there, where="target.keep") for column in keep]
            values = (F.col(quoted(column)).alias(str(at)) for at, column in enumerate(kept))
            state = F.concat(state, F.to_json(F.struct(*values)))
        return rows.select(*map(quoted, keys.columns), state.alias(name))

    def _check_all_there(self, staged: Staged) -> None:
        """Prove that each row of the source is staged: what is missing would leave the target."""
        assert self._rows is not None
        missing = self._num_rows - staged.rows
        if self._kept.stay:
            # Rows that have left the source are staged as well.
            missing = self._match.those_not_in(self._rows, staged.df).count()
        if missing > 0:
            raise WarehouseError(
                f"{missing:,} rows of the source are neither scored nor carried over: source or "
                f"target table {self._config.target.table!r} changed while they were compared; "
                "nothing was published, run again",
                transient=True,
            )

    def _tell_unknown(self) -> None:
        """Log that hashes are of another kind, which has rows scored that have not changed."""
        rows = self._target.rows().where(~F.col(HASH_COLUMN).startswith(f"{VERSION}:"))
        if found := rows.count():
            _log.warning(
                "%s rows of target table %s have a %s that is damaged, or that another spark_infer "
                "has written; those that the run is about are scored again",
                f"{found:,}",
                self._config.target.table,
                HASH_COLUMN,
            )
