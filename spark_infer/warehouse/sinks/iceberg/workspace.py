"""The branches of one run, which tell others that it goes on."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.iceberg.alive import Alive
from spark_infer.warehouse.sinks.iceberg.branches import Branches
from spark_infer.warehouse.sinks.iceberg.find import check_extensions
from spark_infer.warehouse.sinks.target import Target

_RUNS = "_spark_infer"
_log = logging.getLogger(__name__)


class Workspace:
    """Makes a run's branches of a table, and drops them and those of runs that were killed.

    Args:
        target: The table.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.branches = Branches(target.spark, target.name)
        self.made: list[str] = []
        """The run's branches."""
        self._alive: Alive | None = None

    def branch(self, base: int | None) -> str:
        """Make a branch more, of a snapshot of the table."""
        if self._alive is None:
            self._alive = Alive(self._local())
            self._alive.begin(self._target.run_id)
        name = self.branches.create(self._target.run_id, len(self.made), base)
        self.made.append(name)
        return name

    def recover(self) -> None:
        """Drop the branches of runs that were killed; what they had published is whole.

        Raises:
            ConfigError: Spark is not set for it.
            WarehouseError: They cannot be dropped.
        """
        check_extensions(self._target.spark)
        table = self._target.config.table
        with spark_failures(f"branches of killed runs of target table {table!r} cannot be dropped"):
            alive = Alive(self._local())
            for run_id, branches in self.branches.of_runs().items():
                with alive.if_dead(run_id, max(branch.changed for branch in branches)) as is_dead:
                    if is_dead:
                        _log.warning("dropping branches of run %s, which was killed", run_id)
                        self.branches.drop(branch.name for branch in branches)
            alive.sweep()

    def clear(self) -> None:
        """Drop the run's branches. Nothing is raised: the next run drops what is left."""
        with suppress(*SPARK_FAILURES):
            self.branches.drop(self.made)
            self.made = []
        if self._alive is not None:
            self._alive.end()
            self._alive = None

    def _local(self) -> Path | None:
        """Return where runs tell that they go on."""
        properties = self._target.name.load(self._target.spark).properties()
        local = Folder(self._target.spark, str(properties["location"])).local
        return None if local is None else local / _RUNS
