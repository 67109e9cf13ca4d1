"""One execution of a job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark import Accumulator
from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle import Bundle
from spark_infer.errors import ConfigError, GateError
from spark_infer.report import RunReport
from spark_infer.report.run import Status
from spark_infer.spark.challengers import Disagreement
from spark_infer.spark.driver.record_batches import record_batch_sizes
from spark_infer.spark.driver.session import active, own_session, session
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.features import Featured
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.tasks.metrics import metrics_accumulator
from spark_infer.spark.tasks.tally import Tally
from spark_infer.warehouse.challengers import Challengers
from spark_infer.warehouse.deadline import Deadline
from spark_infer.warehouse.gate import RunGate
from spark_infer.warehouse.history.snapshot import snapshot_of
from spark_infer.warehouse.ledger import Ledger, above_watermark
from spark_infer.warehouse.parameters.binding import BINDING, with_session_zone
from spark_infer.warehouse.predicted import predicted_by
from spark_infer.warehouse.preflight import check_executor
from spark_infer.warehouse.progress import Progress
from spark_infer.warehouse.quarantine import Quarantine
from spark_infer.warehouse.reading.source import read_source, where
from spark_infer.warehouse.rows.checked import check_staged
from spark_infer.warehouse.rows.keys import check_repeatable
from spark_infer.warehouse.rows.reasons import reasons_of
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.run_id import new_run_id
from spark_infer.warehouse.run_report import report_of
from spark_infer.warehouse.scope import coverage_of, rows_to_score
from spark_infer.warehouse.sinks import (
    WRITING,
    Coverage,
    Sink,
    Target,
    choose_sink,
    without_predictions,
)
from spark_infer.warehouse.source_view import SourceView
from spark_infer.warehouse.steps import Steps

if TYPE_CHECKING:
    from spark_infer.warehouse.job import ScoringJob


class Run:
    """Opens a job's source, scores it, publishes what came of it and reports.

    Args:
        job: The job.
        given: The session beside which the run has its own; None for one that runs or is started.
        on_step: See ``ScoringJob.run``.
        dry_run: See ``ScoringJob.run``.
        on_progress: See ``ScoringJob.run``.
    """

    def __init__(
        self,
        job: ScoringJob,
        given: SparkSession | None,
        on_step: Callable[[str], None] | None,
        *,
        dry_run: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.job = job
        self.given = given
        self.started_at = _now()
        self.run_id = new_run_id(self.started_at)
        self.dry_run = dry_run
        self.steps = Steps(on_step, on_progress)
        self.values: Mapping[str, Any] = job.values
        self.bundle: Bundle | None = None
        self.challengers = Challengers()
        self.deadline: Deadline | None = None
        self.tally: Accumulator[Tally[Disagreement]] | None = None
        self.target: Target | None = None
        self.quarantine: Quarantine | None = None
        self.found: dict[str, Any] = {}
        """Fields of the report, as they become known."""

    def execute(self) -> RunReport:
        """Run the job and write its report. Errors are those of ``ScoringJob.run``."""
        try:
            self._start()
            with active(self.spark):
                self.score_and_publish(self._source())
        except BaseException as error:
            failed = isinstance(error, Exception) and not self.steps.is_stopped
            status: Status = "stopped" if isinstance(error, GateError) else "failed"
            report = self._report(status if failed else "interrupted", error)
            with suppress(ConfigError):  # That is the reason, or does not hide it.
                self._write(report)
            raise
        report = self._report("dry-run" if self.dry_run else "done")
        try:
            if not self.dry_run:
                self.gate.remember(self.run_id)
            self._write(report)
        except ConfigError as error:
            raise ConfigError(
                f"the target {'is as it was, and' if self.dry_run else 'was written, but'} not its "
                f"report: {error}",
                transient=error.transient,
            ) from None
        return report

    def recover(self) -> tuple[str, ...]:
        """Complete or undo what killed runs have left, and return the runs that are completed.

        Errors are those of ``ScoringJob.run``.
        """
        config = self.job.config
        self._start()
        with active(self.spark), self.steps.step("recover"):
            target = self._target()
            completed = choose_sink(target, Coverage.of_nothing()).recover()
            if completed and (view := SourceView.of(config, target)) is not None:
                view.keep()
            assert self.given is not None
            target.refresh_in(self.given)
        return completed

    def _start(self) -> None:
        with self.steps.step("bundle"):
            self.bundle = self.job.check()
            self.challengers = Challengers.load(self.job.config, self.bundle)
            self.found["challengers"] = self.challengers.to_json(None)
        self._open_session()

    def _open_session(self) -> None:
        config = self.job.config
        with self.steps.step("start"):
            self.given = self.given or session(f"spark-infer {config.name}", config.spark)
            # In a session of its own: nothing is set under the user or under another run.
            with spark_failures("Spark's session cannot be used", kind=ConfigError):
                self.spark = own_session(self.given, {**BINDING, **WRITING}, config.spark)
                for key, value in record_batch_sizes(self.spark).items():
                    self.spark.conf.set(key, value)
                self.metrics = metrics_accumulator(self.spark)
            self.deadline = Deadline.of(config, self.spark, self.started_at)
            if self.deadline is not None:
                self.found["deadline"] = self.deadline.text
            self.found["spark_application_id"] = str(self.spark.sparkContext.applicationId)

    def _source(self) -> DataFrame:
        config = self.job.config
        with self.steps.step("source"), spark_failures("the job cannot be prepared"):
            self.values = with_session_zone(self.spark, config.parameters, self.job.values)
            source = read_source(self.spark, config.source, self.values)
            self.found["snapshot"] = snapshot_of(source)
            if config.target.is_in_source:
                source = without_predictions(source, self._target())
        return source

    def score_and_publish(self, source: DataFrame) -> None:
        """Score rows of the source to where no reader looks, look at them, and publish them.

        Raises:
            SparkInferError: Anything is wrong; unless the message says otherwise, the target is as
                it was.
        """
        config, step, bundle = self.job.config, self.steps.step, self.bundle
        assert bundle is not None
        predicted, sink = self._prepared(source, bundle, recover=not self.dry_run)
        staged: Staged | None = None
        try:
            with step("load"):
                allowed = config.bundle.allow_modules
                check_executor(self.spark, bundle, config.batch.options(), allowed)
                self.challengers.check_executor(self.spark, config.batch.options())
            if config.incremental.is_on:
                with step("compare"), spark_failures("source and target cannot be compared"):
                    self.found |= self.ledger.compare()
                    if self.ledger.coverage is not self.coverage:
                        sink = self._sink_of(self.ledger.coverage)
                    if self.ledger.is_compared:
                        predicted = predicted_by(self, bundle)
            with step("score"), spark_failures("scoring failed and the target is as it was"):
                with self.steps.counting(self.metrics, predicted.num_rows):
                    staged = self.ledger.counted(sink.stage(predicted))
                if self.deadline is not None:
                    staged = self.deadline.counted(staged)
                    self.found["rows_pending"] = staged.waiting
                batches = self.metrics.value.to_json()
                counts = {
                    "rows_in": staged.scored + staged.waiting,
                    "rows_rejected": staged.rejected,
                }
                if config.incremental.is_on:
                    counts["rows_carried"] = staged.carried
                self.found |= {**counts, "batches": batches, "writer": staged.writer}
                self.found["challengers"] = self.challengers.to_json(self.tally)
            with step("keys"), spark_failures("what was scored cannot be read back"):
                self.found["rejects"] = reasons_of(staged, config.key)
                keys = check_staged(staged, config)
                sink.check_rows(staged, keys)
            if config.gate:
                with step("gate"), spark_failures("what was scored cannot be measured"):
                    results = self.gate.look(staged, self.found["challengers"])
                    self.found |= {"gate": results, "drift": self.gate.compared()}
                    self.gate.decide(sink, staged, self)
            if self.dry_run:
                self.found["rows_out"] = 0
                return
            with ExitStack() as stack:
                if self.quarantine is not None:
                    with step("quarantine"):
                        number = self.quarantine.published(staged, keys, self.coverage, sink)
                        self.found["rows_quarantined"] = stack.enter_context(number)
                with step("write"):
                    published = sink.publish(staged, keys)
                    if self.view is not None:
                        self.view.keep()
            rejected = published.rejected - staged.pending
            self.found |= {"rows_out": published.rows, "rows_rejected": rejected}
        finally:
            sink.discard(staged)
            self.ledger.end()
            if self.given is not None and self.target is not None:
                self.target.refresh_in(self.given)

    def _prepared(
        self, source: DataFrame, bundle: Bundle, *, recover: bool = True
    ) -> tuple[Prediction, Sink]:
        """Return the rows with what is predicted of them, and where they go, all of it checked."""
        config = self.job.config
        with self.steps.step("check"), spark_failures("the job cannot be prepared"):
            rows = rows_to_score(config, source, bundle, self.challengers, self.values)
            self.target = self._target()
            sink = self._sink_of(coverage_of(config, rows, self.values))
            if recover:
                sink.recover()
            check_repeatable(rows.df, config.key)
            self.gate = RunGate(self.job, bundle, self.spark, self.values)
            rows, sink = self._come_since(rows, sink)
            assert self.target is not None
            self.ledger = Ledger(config, bundle, self.target, self.coverage, self.started_at)
            self.ledger.check(sink)
            rows = self.ledger.with_columns(replace(rows, df=sink.pending(rows.df)))
            predicted = predicted_by(self, bundle)
            sink.check(predicted.df.schema)
            self.view = SourceView.of(config, self.target)
            if self.view is not None:
                self.view.check(predicted.df.schema)
            self.gate.check(predicted.df, sink)
            if config.quarantine is not None:
                self.quarantine = Quarantine(config, self.target)
                self.quarantine.prepare(rows, bundle.signature, recover=recover)
        return predicted, sink

    def _sink_of(self, coverage: Coverage) -> Sink:
        assert self.target is not None
        self.coverage = coverage
        return choose_sink(self.target, coverage)

    def _target(self) -> Target:
        config = self.job.config
        return Target(self.spark, config.target, config.key, self.run_id)

    def _come_since(self, rows: Featured, sink: Sink) -> tuple[Featured, Sink]:
        """Leave out rows that are below the watermark, of which the run then is not about."""
        assert self.target is not None
        above = above_watermark(self.job.config.incremental, self.target, self.coverage)
        if above is None:
            return rows, sink
        rows = replace(rows, df=where(rows.df, above, self.values, key="incremental.column"))
        both = above if self.coverage.rows is None else f"(\n{self.coverage.rows}\n) AND {above}"
        return rows, self._sink_of(replace(self.coverage, rows=both, present=rows.df))

    def _report(self, status: Status, error: BaseException | None = None) -> RunReport:
        return report_of(self, status, error)

    def _write(self, report: RunReport) -> None:
        config = self.job.config.report
        report.write(config.path, html=config.html)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
