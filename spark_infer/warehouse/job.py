"""The scoring job: a job file with the values of one run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.errors import ConfigError
from spark_infer.report import JobPlan, Replay, RunList, RunReport
from spark_infer.report.files import check_writable
from spark_infer.report.run import Status
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.gate import check_columns, command_arguments
from spark_infer.warehouse.gate.kept_run import KeptRun
from spark_infer.warehouse.history import LAST, Runs
from spark_infer.warehouse.history.replay import ReplayedRun
from spark_infer.warehouse.jobfile import read_job
from spark_infer.warehouse.parameters.typed import bind_parameters
from spark_infer.warehouse.planning.planned_run import SAMPLE_ROWS, PlannedRun
from spark_infer.warehouse.progress import Progress
from spark_infer.warehouse.run import Run
from spark_infer.warehouse.sinks import Published

_NEXT = {"again": "score", "recover": "recover"}
"""Commands after any run."""


@dataclass(frozen=True)
class ScoringJob:
    """A job file with the values of one run. Make one with ``ScoringJob.load``.

    Attributes:
        config: The job file's contents.
        values: Value of each parameter, of its declared type.
        path: The job file.
        settings: What else ``load`` was given.
    """

    config: JobConfig
    values: Mapping[str, Any]
    path: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

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
        values = bind_parameters(config.parameters, given)
        return cls(config, values, os.fspath(path), settings or {})

    @classmethod
    def of_kept(
        cls, path: str | os.PathLike[str], settings: Mapping[str, Any] | None = None
    ) -> ScoringJob:
        """Read a job file for what is done with a run, which knows its parameters itself.

        Arguments and errors are those of ``load``; parameters need not be given.
        """
        check_kind(settings, (Mapping, type(None)), name="settings", wanted="a dict")
        config, _ = read_job(path, settings or {}, os.environ)
        return cls(config, {}, os.fspath(path), settings or {})

    def command_arguments(self, run_id: str) -> str:
        """Return the arguments of ``spark-infer publish`` and ``drop`` for a run."""
        return command_arguments(self.path, self.settings, run_id)

    def commands(
        self,
        run_id: str,
        status: Status,
        parameters: Mapping[str, str],
        *,
        dry_run: bool = False,
    ) -> dict[str, str]:
        """Return what somebody types after a run, as ``RunReport.commands`` has it.

        Args:
            run_id: The run.
            status: How it ended.
            parameters: What it was given, as text.
            dry_run: Whether nothing of it was to be published.
        """
        given = [f"--set {shlex.quote(f'{name}={value}')}" for name, value in parameters.items()]
        arguments = command_arguments(self.path, self.settings, *given)
        commands = {key: f"spark-infer {verb} {arguments}" for key, verb in _NEXT.items()}
        if dry_run:
            return {
                **commands,
                "score": commands["again"],
                "again": f"{commands['again']} --dry-run",
            }
        if status == "stopped":
            decided = self.command_arguments(run_id)
            commands |= {verb: f"spark-infer {verb} {decided}" for verb in ("publish", "drop")}
        return commands

    def check(self) -> Bundle:
        """Check what needs no Spark: the reports' directory, the bundle, its digest, the gate.

        Raises:
            BundleError: The bundle is damaged, or another than the job file pins.
            ConfigError: The reports' directory cannot be written, a check of the gate is about a
                column that the bundle does not have, or a database's user or password is missing.
        """
        check_writable(self.config.report.path)
        if self.config.target.jdbc is not None:
            self.config.target.jdbc.credentials()
        bundle = Bundle.load(self.config.bundle.path, digest=self.config.bundle.digest)
        check_columns(self.config.gate, bundle.signature)
        return bundle

    def run(
        self,
        spark: SparkSession | None = None,
        on_step: Callable[[str], None] | None = None,
        *,
        dry_run: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
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
            dry_run: Whether to score, stage and check the rows, and then to discard them: the
                target stays as it is, and what a killed run has left of it is not looked after.
            on_progress: Is called about twice a second, in a thread of its own, with how far the
                step is. What it raises is logged once.

        Raises:
            ConfigError: ``on_step`` or ``on_progress`` is no function.
            SparkInferError: Anything is wrong; unless the message says otherwise, the target is as
                it was.
        """
        _check_on_step(on_step)
        _check_on_step(on_progress, "on_progress must be a function of a Progress")
        return Run(self, spark, on_step, dry_run=dry_run, on_progress=on_progress).execute()

    def plan(
        self,
        spark: SparkSession | None = None,
        on_step: Callable[[str], None] | None = None,
        *,
        sample_rows: int = SAMPLE_ROWS,
    ) -> JobPlan:
        """Find out what ``run`` would do, from metadata and a sample; nothing is written.

        Of the source's Parquet files the footers are read, and of the target how far a watermark
        has come. How long the run would take is told by earlier ones, or else by a few rows that
        are predicted. Errors are those of ``run``.

        Args:
            spark: See ``run``.
            on_step: See ``run``.
            sample_rows: How many rows these are; 0 for none.
        """
        _check_on_step(on_step)
        return PlannedRun(self, spark, on_step).plan(sample_rows)

    def runs(self, last: int = 20) -> RunList:
        """Return the newest runs, as their reports in ``report.path`` tell. Needs no Spark.

        Args:
            last: How many, at the most; no more reports than that are opened.

        Raises:
            ConfigError: The reports cannot be listed. One that is damaged is named in the list.
        """
        return Runs(self.config.name, self.config.report.path).newest(last)

    def report(self, run_id: str = LAST) -> RunReport:
        """Return the report of a run, or of the last one. Needs no Spark.

        Raises:
            ConfigError: There is none, or it is damaged.
        """
        return Runs(self.config.name, self.config.report.path).find(run_id)

    def replay(
        self,
        run_id: str,
        key: Mapping[str, Any],
        spark: SparkSession | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> Replay:
        """Predict one row of a run again, and say whether that is what was published.

        The row is read from the source as it is now (a table of Iceberg: as the run has read it),
        with the run's parameters, and predicted by the bundle, which must have the run's digest.

        Args:
            run_id: The run, or ``last``. Its parameters count, not those of this job.
            key: A value for each column of the job's key, as text.
            spark: See ``run``.
            on_step: See ``run``.

        Raises:
            ConfigError: There is no such run, it has published nothing, or the key is wrong.
            SparkInferError: Source, target or bundle cannot be read.
        """
        _check_on_step(on_step)
        return ReplayedRun(self, run_id, key, spark, on_step).replay()

    def recover(
        self, spark: SparkSession | None = None, on_step: Callable[[str], None] | None = None
    ) -> tuple[str, ...]:
        """Complete or undo what killed runs have left of the target, as the next run would.

        Arguments and errors are those of ``run``.

        Returns:
            The runs that are completed now.
        """
        _check_on_step(on_step)
        return Run(self, spark, on_step).recover()

    def publish(
        self,
        run_id: str,
        spark: SparkSession | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> Published:
        """Publish a run that the gate has stopped, after a look at its keys and the table.

        Args:
            run_id: The run. Its parameters count, not those of this job.
            spark: See ``run``.
            on_step: See ``run``.

        Raises:
            SparkInferError: Nothing is kept of it, or it cannot be published: the table has other
                columns by now, or a later run has written the same partitions. What is kept stays.
        """
        _check_on_step(on_step)
        return KeptRun(self, run_id, spark, on_step).publish()

    def drop(
        self,
        run_id: str,
        spark: SparkSession | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> None:
        """Drop what is kept of a run that the gate has stopped. Arguments are those of ``publish``.

        Raises:
            SparkInferError: Nothing is kept of it.
        """
        _check_on_step(on_step)
        KeptRun(self, run_id, spark, on_step).drop()


def _check_on_step(
    given: object, must: str = "on_step must be a function of a step's name"
) -> None:
    if given is not None and not callable(given):
        raise ConfigError(f"{must}, got {shown(given)}")
