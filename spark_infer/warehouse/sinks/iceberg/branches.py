"""The branches of a table on which runs stage their rows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.run_id import RUN_ID, begun_at
from spark_infer.warehouse.sinks.name import TableName

MAIN = "main"
"""The branch that readers see."""
_PREFIX = "spark_infer_"
_RACED = "metadata refresh is required"
"""What Iceberg says when it has changed no branch, as the table has changed meanwhile."""
_MAX_ATTEMPTS = 10
_NAME = re.compile(rf"{_PREFIX}({RUN_ID.pattern})_[0-9]+")
_KEPT = "RETAIN 36500 DAYS WITH SNAPSHOT RETENTION 10 SNAPSHOTS"
"""Whatever the table keeps of other branches: expiring snapshots leaves those of a run alone."""


class Branch(NamedTuple):
    """A branch that a run has made.

    Attributes:
        name: Its name.
        changed: When it changed last, as far as anybody can tell.
    """

    name: str
    changed: dt.datetime


@dataclass(frozen=True)
class Branches:
    """The branches of a table.

    Attributes:
        spark: The session.
        table: The table.
    """

    spark: SparkSession
    table: TableName

    def head(self, branch: str = MAIN) -> int | None:
        """Return the snapshot that a branch is at; None where it is not there."""
        rows = self._meta("refs").where(f"type = 'BRANCH' AND name = {literal(branch)}").collect()
        return int(rows[0]["snapshot_id"]) if rows else None

    def of_runs(self) -> dict[str, list[Branch]]:
        """Return the branches that runs have made, by the run."""
        refs = self._meta("refs").where(f"type = 'BRANCH' AND startswith(name, '{_PREFIX}')")
        snapshots = self._meta("snapshots").selectExpr("snapshot_id", "unix_seconds(committed_at)")
        times = {row[0]: row[1] for row in snapshots.collect()}
        found: dict[str, list[Branch]] = {}
        for row in refs.collect():
            if parts := _NAME.fullmatch(row["name"]):
                committed = times.get(row["snapshot_id"], 0)
                changed = dt.datetime.fromtimestamp(committed, dt.timezone.utc)
                branch = Branch(row["name"], max(begun_at(parts[1]), changed))
                found.setdefault(parts[1], []).append(branch)
        return found

    def create(self, run_id: str, number: int, base: int | None) -> str:
        """Make a branch of a run.

        Args:
            run_id: The run.
            number: Of its branches.
            base: The snapshot that it begins with; None for a table that has none.
        """
        name = f"{_PREFIX}{run_id}_{number}"
        at = "" if base is None else f"AS OF VERSION {base} "
        self._change(f"CREATE BRANCH {quoted(name)} {at}{_KEPT}")
        return name

    def drop(self, names: Iterable[str]) -> None:
        """Drop branches, where they are there."""
        for name in names:
            self._change(f"DROP BRANCH IF EXISTS {quoted(name)}")

    def sql(self, branch: str) -> str:
        """Return the SQL name by which a branch is read and written."""
        return f"{self.table.sql}.{quoted(f'branch_{branch}')}"

    def rows(self, branch: str) -> DataFrame:
        """Return the rows of a branch."""
        return self.spark.table(self.sql(branch))

    def write(self, df: DataFrame, branch: str, *, replaces: bool) -> tuple[int, int]:
        """Write rows to a branch.

        Args:
            df: The rows.
            branch: The branch.
            replaces: Whether the partitions that they are in are replaced.

        Returns:
            How many there are, and rejected among them.
        """
        there = self.rows(branch)
        observed = Observation()
        counted = df.select(*map(quoted, there.columns)).observe(
            observed, F.count(F.lit(1)).alias("rows"), F.count(REASON_COLUMN).alias("rejected")
        )
        # Not by ranges, as the table may wish: Spark would score the rows twice to find them.
        writer = counted.writeTo(self.sql(branch)).option("distribution-mode", "hash")
        if replaces:
            writer.overwritePartitions()
        else:
            writer.append()
        counts = observed.get
        # Spark forgets to count where it finds while it runs that there is nothing to write.
        return int(counts.get("rows", 0)), int(counts.get("rejected", 0))

    def delete(self, branch: str, condition: str) -> None:
        """Delete the rows of a branch that meet a condition."""
        self.spark.sql(f"DELETE FROM {self.sql(branch)} WHERE {condition}")

    def fast_forward(self, branch: str, base: int | None) -> bool:
        """Have readers see a branch, in one step.

        Args:
            branch: The branch.
            base: The snapshot that it was made of.

        Returns:
            False where the table has changed since the branch was made, and nothing is done.
        """
        head = self.head(branch)
        # Iceberg would bring back what somebody has rolled back, where the branch is made of it.
        if self.head() != base:
            return self._has_been(head)
        try:
            self.spark.sql(
                f"CALL {quoted(self.table.catalog)}.system.fast_forward(table => "
                f"{literal(self.table.sql)}, branch => '{MAIN}', to => {literal(branch)})"
            )
        except SPARK_FAILURES as error:
            if self._has_been(head):
                return True  # It is done; only the answer did not come.
            if self.head() == base and "not an ancestor" not in str(error):
                raise
            return False
        return True

    @property
    def publishing_sql(self) -> str:
        """The statement by which ``fast_forward`` does it, for a plan."""
        return (
            f"CALL {quoted(self.table.catalog)}.system.fast_forward(table => "
            f"{literal(self.table.sql)}, branch => '{MAIN}', to => '{_PREFIX}...')"
        )

    def _change(self, change: str) -> None:
        """Change the branches, again where another has written the table at the same moment.

        Iceberg repeats other commits by itself.
        """
        for attempt in range(_MAX_ATTEMPTS):
            try:
                self.spark.sql(f"ALTER TABLE {self.table.sql} {change}")
            except SPARK_FAILURES as error:
                if attempt + 1 == _MAX_ATTEMPTS or _RACED not in str(error):
                    raise
                self.spark.sql(f"REFRESH TABLE {self.table.sql}")
            else:
                return

    def _has_been(self, head: int | None) -> bool:
        """Return whether the table is, or was, at a snapshot that it is built on."""
        log = self._meta("history").where(f"is_current_ancestor AND snapshot_id = {head}")
        return bool(log.take(1))

    def _meta(self, name: str) -> DataFrame:
        # What others wrote since the session looked last.
        self.spark.sql(f"REFRESH TABLE {self.table.sql}")
        return self.spark.table(f"{self.table.sql}.{name}")
