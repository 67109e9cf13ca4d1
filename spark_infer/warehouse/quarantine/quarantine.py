"""The table of the rows that got no prediction, kept by the same sinks as any target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from spark_infer.bundle import Signature
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.features import Featured
from spark_infer.spark.names import Names
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import LINEAGE_COLUMNS, JobConfig, TargetConfig
from spark_infer.warehouse.config.target.quarantine import (
    AT_COLUMN,
    JOB_COLUMN,
    KIND_COLUMN,
    STAGE_COLUMN,
    VALUES_COLUMN,
)
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.quarantine.alone import alone
from spark_infer.warehouse.quarantine.reasons import kind_of, stage_of
from spark_infer.warehouse.quarantine.values import ModelValues
from spark_infer.warehouse.rows.among import in_partitions
from spark_infer.warehouse.rows.by_key import without_known
from spark_infer.warehouse.rows.keys import (
    Keys,
    Partition,
    check_keys,
    partitions_of,
)
from spark_infer.warehouse.rows.pending import is_pending
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import Coverage, Sink, Target, choose_sink
from spark_infer.warehouse.sinks.sql.sql_table import SqlTable

_, _DIGEST, _RUN, _SCORED_AT = LINEAGE_COLUMNS


class Quarantine:
    """Keeps, for each job, the rows of its target that have no prediction.

    It is written before the target: a run that is killed in between is run again, because the
    target does not have its rows, and writes both anew.

    Of an overwrite, the rows of the same partitions are replaced. Of the other modes, all of the
    job are: its rows that the run has not scored stay.

    Args:
        job: The job file, which has a section for it.
        target: The job's target.

    Raises:
        ConfigError: The table's name is none, or its catalog is not there.
        WarehouseError: It is the target itself.
    """

    def __init__(self, job: JobConfig, target: Target) -> None:
        config = job.quarantine
        assert config is not None
        self._job = job
        self._scored = target
        self._spark = target.spark
        self._names = Names.of_session(target.spark)
        by = job.target.partition_by if target.is_overwritten else ()
        self._by = (JOB_COLUMN, *by)
        self._key = (JOB_COLUMN, *job.key)
        self._config = TargetConfig.model_validate(
            {
                "table": config.table,
                "format": config.format,
                "partition_by": self._by,
                "keep": job.target.keep,
                "writer": "jvm",
            }
        )
        self._table = self._target()
        is_in_catalog = target.config.jdbc is None
        ours = self._names.key(self._table.name.sql)
        if is_in_catalog and ours == self._names.key(target.name.sql):
            raise WarehouseError(f"{self._table.named} is the target; name another table")
        self._values: ModelValues | None = None

    def prepare(self, rows: Featured, signature: Signature, *, recover: bool) -> None:
        """Prove that the table can take such rows, and complete what a killed run has left of it.

        Args:
            rows: Those that are to be scored.
            signature: What the model reads of them.
            recover: Whether to complete it.

        Raises:
            WarehouseError, ConfigError: It is of another shape or kind.
        """
        self._values = ModelValues(rows, signature, self._job.key, self._names)
        sink = self._sink(Coverage.of_nothing())
        if recover:
            sink.recover()
        given = dict.fromkeys((*self._job.key, *self._job.target.keep))
        named = ((name, quoted(rows.column(name, where="quarantine"))) for name in given)
        sink.check(self._schema(rows.df.select(*(F.col(c).alias(name) for name, c in named))))
        if isinstance(sink, SqlTable):
            raise WarehouseError(
                f"{self._table.named} is written by INSERT, which does not replace what it reads; "
                "use a table of Parquet or ORC in Spark's own catalog, or one of Iceberg"
            )

    @contextmanager
    def published(
        self, staged: Staged, keys: Keys, coverage: Coverage, sink: Sink
    ) -> Iterator[int]:
        """Put the rows that got no prediction into the table, and take those out that got one.

        Other runs are kept from the table until the block ends, in which the target is written:
        else one could write both in between.

        Without ``prepare``, as for rows that were kept, nobody knows what the model has read.

        Args:
            staged: What the run has staged.
            keys: What was found of their keys.
            coverage: Which rows of the target the run is about.
            sink: The target's.

        Yields:
            How many rows of the run stand there now.

        Raises:
            SparkInferError: It cannot be written, and the target is as it was.
        """
        with alone(self._table):
            with spark_failures(
                f"{self._table.named} was not written, and the target is as it was"
            ):
                number = self._publish(self._still_new(staged, sink), keys, coverage)
            yield number

    def _publish(self, staged: Staged, keys: Keys, coverage: Coverage) -> int:
        # What they were scored from is looked up once.
        rejected = self._rejected(staged).persist(StorageLevel.MEMORY_AND_DISK)
        with _forgotten(rejected):
            table = self._table.table(anew=True)
            if self._scored.is_overwritten:
                partitions = self._replaced(keys, coverage)
                if not staged.rejected and not partitions:
                    return 0
            else:
                others = None if table is None else self._others(staged, coverage)
                if not staged.rejected and others is None:
                    return 0
                partitions = frozenset({(self._job.name,)})
                if others is not None:
                    rejected = rejected.unionByName(others)
            self._write(rejected, partitions)
        return staged.rejected

    def _still_new(self, staged: Staged, sink: Sink) -> Staged:
        """Return what is staged without rows that an append leaves out: another run has added them.

        What stands in the table of such rows is the other run's.
        """
        target = self._scored
        if not target.is_appended:
            return staged
        if target.config.jdbc is not None:  # No catalog has it.
            rows = sink.pending(staged.df)
        elif target.table(anew=True) is None:
            return staged
        else:
            rows = without_known(staged.df, target.rows(), self._job.key)
        rejected = rows.where(F.col(REASON_COLUMN).isNotNull() & ~is_pending()).count()
        return replace(staged, df=rows, rejected=rejected)

    def _write(self, rows: DataFrame, partitions: frozenset[Partition]) -> None:
        """Replace partitions by these rows."""
        there = partitions_of(rows, self._by)
        about = in_partitions(rows, self._by, partitions | there)
        coverage = replace(Coverage.of_nothing(), partitions=about)
        self._table = self._target()
        sink = self._sink(coverage)
        staged: Staged | None = None
        try:
            staged = sink.stage(
                Prediction(lambda *_: rows, lambda batches: iter(batches), rows.schema)
            )
            keys = check_keys(staged.df, self._key, self._by)
            sink.check_rows(staged, keys)
            sink.publish(staged, keys)
        finally:
            sink.discard(staged)

    def _rejected(self, staged: Staged) -> DataFrame:
        """Return the rows that got no prediction, as the table has them."""
        rows = staged.df.where(F.col(REASON_COLUMN).isNotNull() & ~is_pending())
        if self._values is not None and staged.rejected:
            match, added = Matched(self._job.key, self._names), {VALUES_COLUMN: VALUES_COLUMN}
            values = self._values.of(rows, staged.rejected, VALUES_COLUMN)
            rows = match.beside(rows, values, added, or_null=True)
        else:
            rows = rows.select("*", F.lit(None).cast("string").alias(VALUES_COLUMN))
        reason = F.col(REASON_COLUMN)
        own = {
            JOB_COLUMN: F.lit(self._job.name),
            STAGE_COLUMN: stage_of(reason),
            KIND_COLUMN: kind_of(reason),
            AT_COLUMN: F.col(_SCORED_AT),
        }
        return self._as_written(rows, own)

    def _as_written(self, rows: DataFrame, own: Mapping[str, Column]) -> DataFrame:
        """Return rows with the table's columns, some of them given."""
        names = self._schema(rows).names
        others = {n: F.col(quoted(self._spelled(rows, n))) for n in names if n not in own}
        columns = {**own, **others}
        return rows.select(*(columns[name].alias(name) for name in names))

    def _schema(self, rows: DataFrame) -> StructType:
        text, moment = StringType(), TimestampType()
        fields = {
            n: rows.schema[self._spelled(rows, n)] for n in (*self._job.key, *self._job.target.keep)
        }
        # With what says that a text is a CHAR.
        given = [StructField(n, f.dataType, metadata=f.metadata) for n, f in fields.items()]
        texts = (STAGE_COLUMN, KIND_COLUMN, REASON_COLUMN, VALUES_COLUMN, _DIGEST, _RUN)
        own = [StructField(name, text) for name in texts]
        return StructType(
            [StructField(JOB_COLUMN, text), *given, *own, StructField(AT_COLUMN, moment)]
        )

    def _replaced(self, keys: Keys, coverage: Coverage) -> frozenset[Partition]:
        """Return the partitions of the table that an overwrite of the target is about."""
        if self._table.table() is None:
            return frozenset()
        target, by = self._scored, self._job.target.partition_by
        there = self._table.rows().where(F.col(JOB_COLUMN) == self._job.name)
        found = partitions_of(there, self._by)
        alone = coverage.left_alone & {values[1:] for values in found}
        ours = keys.partitions | alone
        if target.table(anew=True) is not None:
            rows = target.rows()
            ours |= coverage.stale(rows, keys, by, table=self._job.target.table)
            if alone:
                # What is left alone has no rejected rows, unless another run has written it since.
                rejected = target.within(rows, alone).where(F.col(REASON_COLUMN).isNotNull())
                ours -= partitions_of(rejected, by) & alone
        elif target.config.jdbc is not None and (about := coverage.of(there, by)) is not None:
            # No catalog has the target. Which of these rows the run is about, they tell themselves.
            ours |= partitions_of(about, by)
        return frozenset(values for values in found if values[1:] in ours)

    def _others(self, staged: Staged, coverage: Coverage) -> DataFrame | None:
        """Return the job's rows that the run has not scored; None where all of them stay."""
        there = self._table.rows().where(F.col(JOB_COLUMN) == self._job.name)
        match = Matched(self._job.key, self._names)
        stay = match.those_not_in(there, staged.df)
        if self._scored.config.delete_missing:
            owned = coverage.owned(there)
            present = coverage.present or staged.df
            stay = match.those_not_in(stay, match.those_not_in(owned, present))
        if not staged.rejected and stay.count() == there.count():
            return None
        return self._as_written(stay, {_RUN: F.lit(self._scored.run_id)})

    def _target(self) -> Target:
        return Target(self._spark, self._config, self._key, self._scored.run_id, "quarantine")

    def _sink(self, coverage: Coverage) -> Sink:
        return choose_sink(self._table, coverage)

    def _spelled(self, rows: DataFrame, name: str) -> str:
        return self._names.one(name, rows.columns, where="quarantine")


@contextmanager
def _forgotten(rows: DataFrame) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(*SPARK_FAILURES):  # A JVM that is gone keeps nothing.
            rows.unpersist()
