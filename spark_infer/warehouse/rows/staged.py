"""Rows that were scored, where no reader looks, until all is known about them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from spark_infer.warehouse.rows.keys import Partition


@dataclass(frozen=True)
class Staged:
    """Rows that were scored, and not yet published.

    Attributes:
        df: The rows, which the model does not run for again.
        rows: How many there are.
        rejected: Rows among them that got no prediction.
        writer: Who wrote them: ``workers``, or ``jvm``, with the reason.
        partitions: The partitions that they are in, where whoever wrote them knows; else None.
        is_unique: Whether whoever wrote them has seen that no key is null or comes twice.
        pending: Rows among them that were not scored for want of time, and are not rejected.
        left_out: Further rows that were not, which are not staged.
        carried: Rows that were not scored, and stand beside the others as the target had them.
        again: Rejected rows that the target has as such, of the same values and by the same bundle.
    """

    df: DataFrame
    rows: int
    rejected: int
    writer: str
    partitions: frozenset[Partition] | None = None
    is_unique: bool = False
    carried: int = 0
    pending: int = 0
    left_out: int = 0
    again: int = 0

    @property
    def scored(self) -> int:
        """Rows that were scored."""
        return self.rows - self.carried - self.pending

    @property
    def waiting(self) -> int:
        """Rows that the next run completes."""
        return self.pending + self.left_out
