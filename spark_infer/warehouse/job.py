"""The scoring job: check everything, score, write, report."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import check_kind
from spark_infer.errors import ConfigError
from spark_infer.report import RunReport
from spark_infer.report.run import Status, check_writable
from spark_infer.report.versions import versions
from spark_infer.spark.dataframe import predict_prepared
from spark_infer.spark.driver.session import active, own_session, session
from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.features import Featured, with_bundle_features, with_features
from spark_infer.spark.metrics import metrics_accumulator
from spark_infer.spark.names import Names
from spark_infer.spark.reference import BundleReference
from spark_infer.warehouse.binding import BINDING, with_session_zone
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile import read_job
from spark_infer.warehouse.keys import check_keys
from spark_infer.warehouse.parameters import bind_parameters
from spark_infer.warehouse.preflight import check_executor
from spark_infer.warehouse.scored import lineage, scored_rows
from spark_infer.warehouse.source import read_source, where
from spark_infer.warehouse.steps import Steps
from spark_infer.warehouse.target import WRITING, Coverage, Target


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
        check_kind(settings, (Mapping, type(None)), name="settings", wanted="a dict")
        config, given = read_job(path, {**(settings or {}), **parameters}, os.environ)
        return cls(config, bind_parameters(config.parameters, given))

    def check(self) -> Bundle:
        """Check what needs no Spark: the reports' directory, the bundle and its pinned digest.

        Raises:
            BundleError: The bundle is damaged, or another than the job file pins.
            ConfigError: The reports' directory cannot be written.
        """
        check_writable(self.config.report.path)
        return Bundle.load(self.config.bundle.path, digest=self.config.bundle.digest)

    def run(
        self, spark: SparkSession | None = None, on_step: Callable[[str], None] | None = None
    ) -> RunReport:
        """Score the rows, write the target table and the run report.

        Bundle, schema, features, target and an executor are checked before any data is read; the
        keys before anything is written. A run that fails writes a report that says in which step
        and why.

        Args:
            spark: The session; None takes the one that is running, or starts one once the bundle
                has been checked. The run has the job file's ``spark:`` section by either way: of a
                session that is there its settings of SQL are set for the run alone, and those that
                only a start could set must be so.
            on_step: Is called with the name of each step before it begins, and when it has failed;
                what it raises ends the run there, which then counts as interrupted.

        Raises:
            SparkInferError: Anything is wrong; unless the message says otherwise, the target is as
                it was.
        """
        return _Run(self, spark, on_step).execute()


class _Run:
    """One execution of a job."""

    def __init__(
        self,
        job: ScoringJob,
        given: SparkSession | None,
        on_step: Callable[[str], None] | None,
    ) -> None:
        self.job = job
        self.given = given
        self.started_at = _now()
        self.run_id = f"{self.started_at:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        self.steps = Steps(on_step)
        self.values: Mapping[str, Any] = job.values
        self.bundle: Bundle | None = None
        self.found: dict[str, Any] = {}
        """Fields of the report, as they become known."""

    def execute(self) -> RunReport:
        try:
            bundle, given = self._start()
            with active(self.spark):
                self._score(bundle, given)
        except BaseException as error:
            failed = isinstance(error, Exception) and not self.steps.is_stopped
            report = self._report("failed" if failed else "interrupted", error)
            with suppress(ConfigError):  # That is the reason, or does not hide it.
                report.write(self.job.config.report.path)
            raise
        report = self._report("done")
        try:
            report.write(self.job.config.report.path)
        except ConfigError as error:
            raise ConfigError(
                f"the target was written, but not its report: {error}", transient=error.transient
            ) from None
        return report

    def _start(self) -> tuple[Bundle, SparkSession]:
        """Return the bundle, and the session beside which the run has its own."""
        config, step = self.job.config, self.steps.step
        with step("bundle"):
            bundle = self.bundle = self.job.check()
        with step("start"):
            given = self.given or session(f"spark-infer {config.name}", config.spark)
            # In a session of its own: nothing is set under the user or under another run.
            with spark_failures("Spark's session cannot be used", kind=ConfigError):
                self.spark = own_session(given, {**BINDING, **WRITING}, config.spark)
                self.metrics = metrics_accumulator(self.spark)
            self.found["spark_application_id"] = str(self.spark.sparkContext.applicationId)
        return bundle, given

    def _score(self, bundle: Bundle, given: SparkSession) -> None:
        config, step = self.job.config, self.steps.step
        with step("check"), spark_failures("the job cannot be prepared"):
            self.values = with_session_zone(self.spark, config.parameters, self.job.values)
            rows = self._rows(bundle)
            predicted = self._predicted(rows, bundle)
            target = self._target(rows)
            target.check(predicted.schema)
        with step("load"):
            check_executor(self.spark, bundle, config.batch.options(), config.bundle.allow_modules)
        with step("keys"), spark_failures("the source cannot be read, nothing was written"):
            keys = check_keys(rows.df, config.key, config.target.partition_by)
            self.found["rows_in"] = keys.rows
            target.check_rows(keys, predicted.schema)
        with ExitStack() as stack:
            with step("score"), spark_failures("scoring failed and the target is as it was"):
                kept = scored_rows(predicted, keys, config.key, config.target.partition_by)
                scored = stack.enter_context(kept)
                self.found |= {
                    "rows_rejected": scored.rejected,
                    "batches": self.metrics.value.to_json(),
                }
                # What stops a run by its results stands here: all is known, nothing is published.
                scored.check_rejects(config.batch.max_rejected_share)
            with step("write"):
                try:
                    written = target.write(scored.df, keys)
                finally:
                    with suppress(*SPARK_FAILURES):
                        target.refresh(given)
        self.found |= {"rows_out": written.rows, "rows_rejected": written.rejected}

    def _rows(self, bundle: Bundle) -> Featured:
        """Return the rows to score, with the job's features and beside them the bundle's."""
        config = self.job.config
        names = Names.of_session(self.spark)
        config.check_columns(names, [output.name for output in bundle.signature.outputs])
        source = read_source(self.spark, config.source, self.values)
        prepared = with_features(source, config.features)
        featured = with_bundle_features(prepared, bundle.features)
        own = (("key", config.key), ("target.partition_by", config.target.partition_by))
        for place, wanted in own:
            for name in wanted:
                names.one(name, prepared.columns, where=place)
        for name in config.target.keep:
            featured.column(name, where="target.keep")
        # Not before: a window of the bundle sees all rows that were read, as one of the job does.
        rows = where(featured.df, config.rows, self.values, key="rows")
        return replace(featured, df=rows)

    def _target(self, rows: Featured) -> Target:
        config = self.job.config
        names = Names.of_session(self.spark)
        carried = [*config.key, *config.target.keep]
        coverage = Coverage(
            filter=config.source.filter,
            rows=config.rows,
            values=self.values,
            carried=[name for name in carried if names.find(name, rows.given)],
            derived=list(config.features),
        )
        return Target(self.spark, config.target, config.key, coverage, self.run_id)

    def _predicted(self, rows: Featured, bundle: Bundle) -> DataFrame:
        config = self.job.config
        reference = BundleReference.share(
            self.spark, bundle, config.batch.options(), config.bundle.allow_modules
        )
        keep = [*config.key, *config.target.keep]
        predicted = predict_prepared(rows, bundle.signature, reference, keep, self.metrics)
        return lineage(predicted, name=bundle.name, digest=bundle.digest, run_id=self.run_id)

    def _report(self, status: Status, error: BaseException | None = None) -> RunReport:
        config, bundle, seconds = self.job.config, self.bundle, self.steps.seconds
        known: dict[str, str] = {"path": config.bundle.path}
        if bundle is not None:
            known = {"name": bundle.name, "digest": bundle.digest, "path": str(bundle.path)}
        found = {"spark_application_id": "", **self.found}
        if "rows_in" in found and seconds.get("score"):
            found["rows_per_second"] = round(found["rows_in"] / seconds["score"], 1)
        return RunReport(
            job=config.name,
            run_id=self.run_id,
            status=status,
            step=self.steps.current if error else "",
            reason=str(error) or type(error).__name__ if error else "",
            started_at=self.started_at.isoformat(timespec="seconds"),
            finished_at=_now().isoformat(timespec="seconds"),
            parameters={name: str(value) for name, value in self.values.items()},
            bundle=known,
            target=config.target.table,
            versions=versions(),
            seconds=seconds,
            **found,
        )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
