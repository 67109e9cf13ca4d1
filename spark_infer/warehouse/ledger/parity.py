"""What is staged has each row of the source once, beside what is left alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import DataFrame

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.rows.among import in_partitions
from spark_infer.warehouse.rows.keys import Partition, check_keys
from spark_infer.warehouse.rows.staged import Staged


@dataclass(frozen=True)
class Parity:
    """Proves it of an overwrite.

    Attributes:
        config: The job file.
        match: How a row is found in the target.
        rows: The rows of the source.
    """

    config: JobConfig
    match: Matched
    rows: DataFrame

    def check_all_there(self, staged: Staged, num_rows: int, *, has_others: bool) -> None:
        """Prove that each row of the source is staged: what is missing would leave the target.

        Args:
            staged: What is staged.
            num_rows: How many rows of the source are not left alone.
            has_others: Whether rows are staged that have left the source.

        Raises:
            WarehouseError: Rows are missing.
        """
        missing = num_rows - staged.rows
        if has_others:
            missing = self.match.those_not_in(self.rows, staged.df).count()
        if missing > 0:
            check_keys(self.rows, self.config.key)
            raise self._changed(f"{missing:,} rows of the source are neither scored nor carried")

    def check_keys(self, staged: Staged, partitions: Collection[Partition]) -> None:
        """Prove that no key that is staged stands in a partition that is left alone as well.

        Args:
            staged: What is staged.
            partitions: The partitions that are not left alone.

        Raises:
            WarehouseError: One does.
        """
        key, by, names = self.config.key, self.config.target.partition_by, self.match.names
        if not staged.rows or {*map(names.key, by)} <= {*map(names.key, key)}:
            return
        spelled = [names.one(name, self.rows.columns, where="target.partition_by") for name in by]
        alone = self.rows.where(f"NOT ({in_partitions(self.rows, spelled, partitions)})")
        match = Matched(key, names)
        if match.those_in(match.keys(alone), match.keys(staged.df)).limit(1).count():
            check_keys(self.rows, key)
            raise self._changed("rows have moved to other partitions, and are not all carried")

    def _changed(self, what: str) -> WarehouseError:
        return WarehouseError(
            f"{what} over: source or target table {self.config.target.table!r} changed while they "
            "were compared; nothing was published, run again",
            transient=True,
        )
