"""The scoring job: check everything, score, write, report."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pyspark import Accumulator
from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle import Bundle
from spark_infer.engine import Metrics
from spark_infer.errors import TooManyRejects, WarehouseError
from spark_infer.report import RunReport
from spark_infer.report.run import writable
from spark_infer.spark.dataframe import predict_prepared
from spark_infer.spark.failures import SPARK_FAILURES, has_too_many_rejects, reason
from spark_infer.spark.features import with_bundle_features, with_features
from spark_infer.spark.metrics import metrics_accumulator
from spark_infer.spark.names import Names
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.session import own_session
from spark_infer.warehouse.binding import BINDING, with_session_zone
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile import read_job
from spark_infer.warehouse.keys import check_keys
from spark_infer.warehouse.parameters import bind_parameters
from spark_infer.warehouse.preflight import check_executor
from spark_infer.warehouse.scored import lineage, scored_rows
from spark_infer.warehouse.source import read_source, where
from spark_infer.warehouse.target import WRITING, Coverage, Target, Written


@dataclass(frozen=True)
class ScoringJob:
    """A job file with the values of one run. Make one with ``ScoringJob.load``.

    Attributes:
        config: The job file's contents.
        values: Value of each parameter, of its declared type.
    """

    config: JobConfig
    values: Mapping[str, Any]

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        settings: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> ScoringJob:
        """Read a job file and bind its parameters.

        Args:
            path: The job file.
            settings: Parameters by name, and keys of the file by dotted path
                (``{"batch.device": "cuda"}``), which win over the file.
            **parameters: Parameters by name. A datetime without a zone is one of the session that
                runs the job.

        Raises:
            ConfigError: The file, a key or a parameter is wrong.
        """
        config, given = read_job(path, {**(settings or {}), **parameters}, os.environ)
        return cls(config, bind_parameters(config.parameters, given))

    def check(self) -> Bundle:
        """Check what needs no Spark: the reports' directory, the bundle and its pinned digest.

        Raises:
            BundleError: The bundle is damaged, or another than the job file pins.
            ConfigError: The reports' directory cannot be written.
        """
        writable(self.config.report.path)
        return Bundle.load(self.config.bundle.path, digest=self.config.bundle.digest)

    def run(self, spark: SparkSession) -> RunReport:
        """Score the rows, write the target table and the run report.

        Schema, bundle, features, target and an executor are checked before any data is read; the
        keys before anything is written.

        Raises:
            SparkInferError: Anything is wrong; the target is as it was.
        """
        # In a session of its own: no setting is changed under the user or under another run.
        return _Run(self, spark, own_session(spark, {**BINDING, **WRITING})).execute()


@dataclass
class _Run:
    """One execution of a job."""

    job: ScoringJob
    given: SparkSession
    spark: SparkSession
    run_id: str = field(default_factory=lambda: f"{_now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}")
    started_at: dt.datetime = field(default_factory=lambda: _now())
    seconds: dict[str, float] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def execute(self) -> RunReport:
        config = self.job.config
        metrics = metrics_accumulator(self.spark)
        with self._step("check"):
            bundle = self.job.check()
            self.values = with_session_zone(self.spark, config.parameters, self.job.values)
            rows = self._rows(bundle)
            predicted = self._predicted(rows, bundle, metrics)
            target = self._target(bundle)
            target.check(predicted.schema)
        with self._step("load"):
            check_executor(self.spark, bundle, config.batch.options(), config.bundle.allow_modules)
        with self._step("keys"):
            keys = check_keys(rows, config.key, config.target.partition_by)
            target.check_rows(keys, predicted.schema)
        with ExitStack() as stack:
            with self._step("score"), _scoring():
                kept = scored_rows(predicted, keys, config.key, config.target.partition_by)
                scored = stack.enter_context(kept)
            # All is known and nothing is published: what stops a run by its results stands here.
            with self._step("write"):
                try:
                    written = target.write(scored.df, keys)
                finally:
                    with suppress(*SPARK_FAILURES):
                        target.refresh(self.given)
        report = self._report(bundle, keys.rows, written, metrics.value)
        report.write(config.report.path)
        return report

    def _rows(self, bundle: Bundle) -> DataFrame:
        """Return the rows to score with all their columns, derived ones included."""
        config = self.job.config
        names = Names.of_session(self.spark)
        config.check_columns(names, [output.name for output in bundle.signature.outputs])
        source = read_source(self.spark, config.source, self.values)
        featured = with_bundle_features(with_features(source, config.features), bundle.features)
        for place, wanted in (("key", config.key), ("target.keep", config.target.keep)):
            for name in wanted:
                names.one(name, featured.columns, where=place)
        return where(featured, config.rows, self.values, key="rows")

    def _target(self, bundle: Bundle) -> Target:
        config = self.job.config
        coverage = Coverage(
            filter=config.source.filter,
            rows=config.rows,
            values=self.values,
            carried=[*config.key, *config.target.keep],
            derived=[*config.features, *bundle.features],
        )
        return Target(self.spark, config.target, config.key, coverage, self.run_id)

    def _predicted(
        self, rows: DataFrame, bundle: Bundle, metrics: Accumulator[Metrics]
    ) -> DataFrame:
        config = self.job.config
        reference = BundleReference.share(
            self.spark, bundle, config.batch.options(), config.bundle.allow_modules
        )
        keep = [*config.key, *config.target.keep]
        predicted = predict_prepared(rows, bundle.signature, reference, keep, metrics)
        return lineage(predicted, name=bundle.name, digest=bundle.digest, run_id=self.run_id)

    def _report(
        self, bundle: Bundle, rows_in: int, written: Written, metrics: Metrics
    ) -> RunReport:
        return RunReport(
            job=self.job.config.name,
            run_id=self.run_id,
            started_at=self.started_at.isoformat(timespec="seconds"),
            parameters={name: str(value) for name, value in self.values.items()},
            bundle={"name": bundle.name, "digest": bundle.digest, "path": str(bundle.path)},
            target=self.job.config.target.table,
            spark_application_id=str(self.spark.sparkContext.applicationId),
            rows_in=rows_in,
            rows_out=written.rows,
            rows_rejected=written.rejected,
            seconds=self.seconds,
            rows_per_second=round(rows_in / self.seconds["score"], 1),
            batches=metrics.to_json(),
        )

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)


@contextmanager
def _scoring() -> Iterator[None]:
    try:
        yield
    except SPARK_FAILURES as error:
        kind = TooManyRejects if has_too_many_rejects(error) else WarehouseError
        raise kind(f"scoring failed and the target is as it was: {reason(error)}") from error


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
