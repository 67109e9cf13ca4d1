"""The branches of one run, which tell others that it goes on."""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from spark_infer.spark.failures import SPARK_FAILURES, spark_failures
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.run_id import begun_at
from spark_infer.warehouse.sinks.files.run_folder import KEPT_DAYS
from spark_infer.warehouse.sinks.folder import Folder, check_no_link
from spark_infer.warehouse.sinks.iceberg.alive import Alive
from spark_infer.warehouse.sinks.iceberg.branches import Branches
from spark_infer.warehouse.sinks.iceberg.find import check_extensions
from spark_infer.warehouse.sinks.target import Target

_RUNS = "_spark_infer"
_KEPT = "spark_infer.kept."
"""How the property of the table begins that tells of a run whose branch is kept."""
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
        """The run's branches that it does not keep."""
        self._num_branches = 0
        self._alive: Alive | None = None

    def branch(self, base: int | None) -> str:
        """Make a branch more, of a snapshot of the table."""
        self.hold()
        name = self.branches.create(self._target.run_id, self._num_branches, base)
        self._num_branches += 1
        self.made.append(name)
        return name

    def recover(self) -> None:
        """Drop the branches of runs that were killed; what they had published is whole.

        Raises:
            ConfigError: Spark is not set for it.
            WarehouseError: They cannot be dropped.
        """
        check_extensions(self._target.spark)
        named = self._target.named
        with spark_failures(f"branches of killed runs of {named} cannot be dropped"):
            alive = Alive(self._local())
            for run_id, branches in self.branches.of_runs().items():
                if self._said(run_id) is not None and _is_young(run_id):
                    continue
                with alive.if_dead(run_id, max(branch.changed for branch in branches)) as is_dead:
                    if is_dead:
                        _log.warning("dropping branches of run %s, which was killed", run_id)
                        self.branches.drop(branch.name for branch in branches)
                        self._forget(run_id)
            alive.sweep()

    def keep(self, text: str) -> None:
        """Have the run's branch outlast it.

        Args:
            text: What is to be known of it.
        """
        key, value = f"{_KEPT}{self._target.run_id}", literal(text)
        self._target.spark.sql(f"{self._alter} SET TBLPROPERTIES ('{key}' = {value})")
        self.made = []

    def kept(self, run_id: str) -> str | None:
        """Return what was said of a run when it was kept; None where nothing is kept of it."""
        return self._said(run_id) if run_id in self.branches.of_runs() else None

    def reopen(self) -> str:
        """Return the branch of the run, which was kept and is held."""
        kept, *others = self._names
        self.branches.drop(others)  # Of a publication that was killed.
        self._num_branches = 1
        return kept

    def drop(self) -> None:
        """Drop what is kept of the run, or was."""
        self.branches.drop(self._names)
        self._forget(self._target.run_id)
        self.made = []

    def clear(self) -> None:
        """Drop the run's branches. Nothing is raised: the next run drops what is left."""
        with suppress(*SPARK_FAILURES):
            self.branches.drop(self.made)
            self.made = []
        if self._alive is not None:
            self._alive.end()
            self._alive = None

    def hold(self) -> None:
        """Tell others that the run goes on.

        Raises:
            WarehouseError: Another process works with it.
        """
        if self._alive is None:
            alive = Alive(self._local())
            alive.begin(self._target.run_id)
            self._alive = alive

    def _forget(self, run_id: str) -> None:
        if self._said(run_id) is not None:
            key = f"{_KEPT}{run_id}"
            self._target.spark.sql(f"{self._alter} UNSET TBLPROPERTIES IF EXISTS ('{key}')")

    def _said(self, run_id: str) -> str | None:
        found = self._properties.get(f"{_KEPT}{run_id}")
        return None if found is None else str(found)

    @property
    def _names(self) -> list[str]:
        """The run's branches; the first of them is the one that is kept."""
        return sorted(b.name for b in self.branches.of_runs().get(self._target.run_id, ()))

    def _local(self) -> Path | None:
        """Return where runs tell that they go on."""
        folder = Folder(self._target.spark, str(self._properties["location"])).child(_RUNS)
        check_no_link(folder)
        return folder.local

    @property
    def _alter(self) -> str:
        return f"ALTER TABLE {self._target.name.sql}"

    @property
    def _properties(self) -> Any:
        return self._target.name.load(self._target.spark).properties()


def _is_young(run_id: str) -> bool:
    """Return whether a run that is kept has begun a few days ago only."""
    age = dt.datetime.now(dt.timezone.utc) - begun_at(run_id)
    return age < dt.timedelta(days=KEPT_DAYS)
