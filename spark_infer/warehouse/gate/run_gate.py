"""The gate as a run passes it: prepared, looked at, decided, remembered."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pyspark import Accumulator
from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle import Bundle
from spark_infer.errors import GateError, WarehouseError
from spark_infer.spark.tasks.sample import RowSample, sample_accumulator
from spark_infer.warehouse.gate.gate import Gate
from spark_infer.warehouse.gate.history import History, history_name
from spark_infer.warehouse.gate.result import Result, stopped
from spark_infer.warehouse.parameters.typed import texts
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import KeepingSink, Sink

if TYPE_CHECKING:
    from spark_infer.warehouse.job import ScoringJob
    from spark_infer.warehouse.run import Run

_SECRET = re.compile("secret|token|passw|credential|access.?key", re.IGNORECASE)
_HIDDEN = "..."
_log = logging.getLogger(__name__)


class RunGate:
    """The gate of a run. Of a job without one it does nothing.

    Args:
        job: The job.
        bundle: Its bundle.
        spark: The run's session.
        values: Its parameters, as ``with_session_zone`` returned them.

    Raises:
        ConfigError: What is remembered of earlier runs is damaged.
    """

    def __init__(
        self, job: ScoringJob, bundle: Bundle, spark: SparkSession, values: Mapping[str, Any]
    ) -> None:
        config = job.config
        self._job = job
        self._name = history_name(config.name, config.parameters, texts(values))
        self._history = History()
        if config.gate:
            self._history = History.read(config.report.path, self._name)
        self._gate = Gate(config.gate, bundle, self._history, values)
        self.sample: Accumulator[RowSample] | None = None
        if self._gate.needs_sample:
            self.sample = sample_accumulator(spark)
        self._rows = 0
        self._results: list[Result] = []

    def check(self, predicted: DataFrame, sink: Sink) -> None:
        """Prove, before a row is read, that the checks fit the rows and the target.

        Raises:
            ConfigError: An expression does not fit the rows.
            WarehouseError: A check can stop the run, and the target cannot keep what is staged.
        """
        self._gate.check_expressions(predicted)
        if self._gate.stops and not isinstance(sink, KeepingSink):
            raise WarehouseError(
                f"what is staged for target table {self._job.config.target.table!r} cannot be kept "
                "when the gate stops the run; write to a table of Parquet or ORC in Spark's own "
                "catalog, of Iceberg or of PostgreSQL, or give each check action: warn"
            )

    def look(
        self, staged: Staged, challengers: Sequence[Mapping[str, Any]] = ()
    ) -> list[dict[str, Any]]:
        """Measure what is staged, and return the result of each check as JSON data.

        Args:
            staged: The rows.
            challengers: What the report says of them.

        Raises:
            WarehouseError: A query fails.
        """
        sample = RowSample() if self.sample is None else self.sample.value
        self._rows = staged.rows + staged.left_out
        self._results = self._gate.check(staged, sample, challengers)
        for result in self._results:
            if result.outcome == "warned":
                _log.warning("gate: %s", result.sentence)
        return [asdict(result) for result in self._results]

    def compared(self) -> list[dict[str, Any]]:
        """Return the distributions that ``look`` has found, and their references, as JSON data."""
        return self._gate.compared()

    def decide(self, sink: Sink, staged: Staged, run: Run) -> None:
        """Let the run pass, or keep what is staged.

        Raises:
            GateError: A check stops the run.
            WarehouseError: What is staged cannot be kept.
        """
        reasons = stopped(self._results)
        if not reasons:
            return
        if run.dry_run:
            raise GateError(
                f"the gate would stop this run: {reasons}; it was a dry run, and nothing of it is "
                "kept"
            )
        assert isinstance(sink, KeepingSink)
        config, coverage = self._job.config, run.coverage
        sink.keep(
            staged,
            {
                "job": config.name,
                "parameters": texts(run.values),
                "target": config.target.model_dump(mode="json"),
                "key": list(config.key),
                "coverage": {
                    "filter": coverage.filter,
                    "rows": coverage.rows,
                    "partitions": coverage.partitions,
                    "carried": list(coverage.carried),
                    "derived": list(coverage.derived),
                },
                "remembered": self._gate.remembered(run.run_id, self._rows).to_json(),
                "history": self._name,
            },
        )
        publish, drop = (
            f"spark-infer {verb} {self._job.command_arguments(run.run_id)}"
            for verb in ("publish", "drop")
        )
        raise GateError(
            f"the gate has stopped run {run.run_id}, and nothing was published: {reasons}; its "
            f"{staged.rows:,} rows are kept for seven days: {publish} publishes them all the same, "
            f"{drop} drops them"
        )

    def remember(self, run_id: str) -> None:
        """Remember a run that was published, for those that come after it.

        Raises:
            ConfigError: The reports' directory cannot be written.
        """
        if self._job.config.gate:
            run = self._gate.remembered(run_id, self._rows)
            self._history.after(run).write(self._job.config.report.path, self._name)


def command_arguments(path: str | None, settings: Mapping[str, Any], *words: str) -> str:
    """Return the arguments of a command about a job: its file, more words, and what was set.

    Args:
        path: The job file, where it is known.
        settings: Keys of the job file that the run was given. Those of Spark may be secrets, and
            are left out; of others that may be, the value is.
        *words: What stands behind the file, such as a run.
    """
    told = [
        f"--set {shlex.quote(f'{name}={_HIDDEN if _SECRET.search(name) else value}')}"
        for name, value in settings.items()
        if "." in name and not name.startswith("spark.")
    ]
    return " ".join([shlex.quote(path or "JOB"), *words, *told])
