"""The scoring job: a job file with the values of one run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.errors import ConfigError
from spark_infer.report import JobPlan, RunReport
from spark_infer.report.run import check_writable
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile import read_job
from spark_infer.warehouse.parameters import bind_parameters
from spark_infer.warehouse.run import Run


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
            ConfigError: ``on_step`` is no function.
            SparkInferError: Anything is wrong; unless the message says otherwise, the target is as
                it was.
        """
        _check_on_step(on_step)
        return Run(self, spark, on_step).execute()

    def plan(
        self, spark: SparkSession | None = None, on_step: Callable[[str], None] | None = None
    ) -> JobPlan:
        """Find out what ``run`` would do: check bundle, source, features and target, read no row.

        Of the source's Parquet files the footers are read. Arguments and errors are those of
        ``run``.
        """
        _check_on_step(on_step)
        return Run(self, spark, on_step).plan()

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


def _check_on_step(on_step: object) -> None:
    if on_step is not None and not callable(on_step):
        raise ConfigError(f"on_step must be a function of a step's name, got {shown(on_step)}")
