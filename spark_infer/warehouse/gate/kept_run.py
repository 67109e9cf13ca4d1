"""A run that its gate has stopped: published all the same, or dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError, SignatureError, WarehouseError, some
from spark_infer.report import RunReport
from spark_infer.report.run import Status, now_text
from spark_infer.spark.driver.session import active
from spark_infer.spark.failures import spark_failures
from spark_infer.warehouse.gate.history import History, Remembered, history_name
from spark_infer.warehouse.history.runs import Runs
from spark_infer.warehouse.ledger.watermark import is_above
from spark_infer.warehouse.parameters.binding import with_session_zone
from spark_infer.warehouse.parameters.typed import bind_parameters, texts
from spark_infer.warehouse.quarantine import Quarantine
from spark_infer.warehouse.rows.checked import check_staged
from spark_infer.warehouse.rows.pending import told_apart
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.run import Run
from spark_infer.warehouse.run_id import EXAMPLE, RUN_ID
from spark_infer.warehouse.sinks import Coverage, KeepingSink, Published, choose_sink
from spark_infer.warehouse.source_view import SourceView

if TYPE_CHECKING:
    from spark_infer.warehouse.job import ScoringJob

_log = logging.getLogger(__name__)


class KeptRun(Run):
    """Decides what becomes of a run whose rows are kept.

    Args:
        job: The job; its parameters are those of the run, whatever it was given.
        run_id: The run.
        given: See ``Run``.
        on_step: See ``Run``.

    Raises:
        ConfigError: ``run_id`` is none.
    """

    def __init__(
        self,
        job: ScoringJob,
        run_id: str,
        given: SparkSession | None,
        on_step: Callable[[str], None] | None,
    ) -> None:
        super().__init__(job, given, on_step)
        if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
            raise ConfigError(
                f"{shown(run_id)} is no run; the message and the report of a run that was stopped "
                f"name it, such as {EXAMPLE}"
            )
        self.run_id = run_id

    def publish(self) -> Published:
        """Look at what is kept as a run does at what it has staged, and publish it.

        Raises:
            SparkInferError: It cannot be published, and stays as it is.
        """
        config, step = self.job.config, self.steps.step
        self._open_session()
        with active(self.spark):
            with step("check"), spark_failures("what is kept cannot be looked at"):
                sink = self._keeping(Coverage.of_nothing())
                about = self._about(sink)
                given = bind_parameters(config.parameters, self._parameters(about))
                self.values = with_session_zone(self.spark, config.parameters, given)
                coverage = self._coverage(about)
                sink = self._keeping(coverage)
                target = self.target
                assert target is not None
            staged: Staged | None = None
            try:
                with step("keys"), spark_failures("what is kept cannot be read back"):
                    staged = told_apart(sink.reopen())
                    keys = check_staged(staged, self.job.config)
                    sink.check_rows(staged, keys)
                    self._check_latest()
                with ExitStack() as stack:
                    if config.quarantine is not None:
                        with step("quarantine"):
                            quarantine = Quarantine(config, target)
                            stack.enter_context(quarantine.published(staged, keys, coverage, sink))
                    with step("write"):
                        published = sink.publish(staged, keys)
                        if (view := SourceView.of(config, target)) is not None:
                            view.keep()
            finally:
                sink.discard(staged)
                assert self.given is not None
                target.refresh_in(self.given)
        self._remember(about)
        self._told("published", replace(published, rejected=published.rejected - staged.pending))
        return published

    def drop(self) -> None:
        """Drop what is kept.

        Raises:
            SparkInferError: Nothing is, or it cannot be dropped.
        """
        self._open_session()
        failures = spark_failures("what is kept cannot be dropped")
        with active(self.spark), self.steps.step("drop"), failures:
            self._keeping(Coverage.of_nothing(), recovers=False).drop()
        self._told("dropped", None)

    def _keeping(self, coverage: Coverage, *, recovers: bool = True) -> KeepingSink:
        config = self.job.config
        self.target = self._target()
        sink = choose_sink(self.target, coverage)
        if not isinstance(sink, KeepingSink):
            raise WarehouseError(
                f"nothing is kept of run {self.run_id}: target table {config.target.table!r} is "
                "written by INSERT, which keeps nothing"
            )
        if recovers:
            sink.recover()
        return sink

    def _about(self, sink: KeepingSink) -> Mapping[str, Any]:
        """Return what was said of the run.

        Raises:
            WarehouseError: Nothing is kept.
            ConfigError: The job file is another one than it was, where that counts.
        """
        config = self.job.config
        try:
            about = sink.kept()
        except WarehouseError as error:
            report = RunReport.find(config.report.path, config.name, self.run_id)
            if report is not None and report.status == "dropped":
                raise WarehouseError(f"run {self.run_id} was dropped; run again") from None
            raise error
        now = {
            "job": config.name,
            "target": config.target.model_dump(mode="json"),
            "key": list(config.key),
        }
        for what, value in now.items():
            if about.get(what) != value:
                raise self._another(what, f": {shown(value)} instead of {shown(about.get(what))}")
        return about

    def _parameters(self, about: Mapping[str, Any]) -> Mapping[str, str]:
        found = about.get("parameters")
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            raise self._damaged()
        return found

    def _coverage(self, about: Mapping[str, Any]) -> Coverage:
        """Return what the run is about.

        Its conditions are SQL, which may do what the job file may: none is taken from anywhere but
        there. A watermark alone is of the run.

        Raises:
            WarehouseError: No run has written that.
            ConfigError: The job file says other conditions.
        """
        config, found = self.job.config, about.get("coverage")
        carried = found.get("carried") if isinstance(found, dict) else None
        if found is None or not isinstance(carried, list):
            raise self._damaged()
        if not {*map(str, carried)} <= {*config.key, *config.target.keep}:
            raise self._damaged()
        rows = found.get("rows")
        is_known = rows == config.rows or is_above(rows, config.incremental, config.rows)
        is_known = is_known and found.get("filter") == config.source.filter
        if not is_known or found.get("partitions") != config.target.partitions:
            raise self._another("filter, rows or target.partitions")
        return Coverage(
            filter=config.source.filter,
            rows=rows,
            partitions=config.target.partitions,
            values=self.values,
            carried=[*map(str, carried)],
            derived=list(config.features),
        )

    def _check_latest(self) -> None:
        """Prove that no later run of the same range was published, which may have left no row.

        Raises:
            WarehouseError: One was.
        """
        config = self.job.config
        if config.target.mode == "append":  # It changes no row, and removes none.
            return
        runs = Runs(config.name, config.report.path)
        if later := runs.later(self.run_id, texts(self.values)):
            raise WarehouseError(
                f"run {some(later)} with the same parameters was published since run "
                f"{self.run_id} was stopped, and nothing was published; drop what is kept of it, "
                "or run the same range again"
            )

    def _damaged(self) -> WarehouseError:
        return WarehouseError(
            f"what is kept of run {self.run_id} is damaged; drop it, and run the same range again"
        )

    def _another(self, what: str, about: str = "") -> ConfigError:
        return ConfigError(
            f"the job file says another {what} than when run {self.run_id} was stopped{about}; "
            "give it the file and the settings of that run, or drop it"
        )

    def _remember(self, about: Mapping[str, Any]) -> None:
        """Have later runs compared with this one, which somebody has found good."""
        config = self.job.config
        directory = config.report.path
        # Not the name that is kept, which could be that of any file.
        name = history_name(config.name, config.parameters, texts(self.values))
        try:
            run = Remembered.from_json(about["remembered"])
            History.read(directory, name).after(run).write(directory, name)
        except (ConfigError, SignatureError, KeyError, TypeError) as error:
            _log.warning("the target was written, and later runs do not know of it: %s", error)

    def _told(self, status: Status, published: Published | None) -> None:
        """Say in the run's report what became of it."""
        config = self.job.config
        report = RunReport.find(config.report.path, config.name, self.run_id)
        if report is None:
            _log.warning("run %s has no report in %s to say so", self.run_id, config.report.path)
            return
        told = replace(report, status=status, finished_at=now_text())
        if published is not None:
            told = replace(told, rows_out=published.rows, rows_rejected=published.rejected)
        try:
            self._write(told)
        except ConfigError as error:
            _log.warning(
                "run %s was %s, and its report does not say so: %s", self.run_id, status, error
            )
