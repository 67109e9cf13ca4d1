"""What failing batches cost, and the batch size at which they cost least."""

from __future__ import annotations

import math

_RUNS_IN_VAIN = 1.5
"""Rows that run in vain for each row at fault, in batches: the batch itself, and as it is halved
again and again, every other time the half with the row."""

_REMEMBERED_ROWS = 100_000
"""Rows after which what is known of them counts half."""


class RerunCost:
    """Weighs rows that run in vain against the cost of more batches.

    Where a share p of the rows is at fault, a batch of n rows costs 1.5 p n w for each of its rows
    because it fails, w being what a row costs in a run that fails; and o / n because it is a batch
    of its own, o being what a run costs beside its rows. The sum is least at
    n = sqrt(o / (1.5 p w)).
    """

    def __init__(self) -> None:
        self._num_rows = 0
        self._num_at_fault = 0.0
        self._failed_rows = 0
        self._failed_seconds = 0.0
        self._run_seconds = math.inf

    def count_rows(self, num_rows: int) -> None:
        """Count rows that were given to the model for the first time."""
        if self._num_rows > _REMEMBERED_ROWS:
            # The next query may have better rows.
            self._num_rows //= 2
            self._num_at_fault /= 2
        self._num_rows += num_rows

    def count_failed_run(self, num_rows: int, seconds: float) -> None:
        """Count a run that failed."""
        self._failed_rows += num_rows
        self._failed_seconds += seconds
        if num_rows == 1:
            # In this order: another thread may ask for the size that both of them give.
            self._run_seconds = min(self._run_seconds, seconds)
            self._num_at_fault += 1

    def max_rows(self) -> int | None:
        """Return the most rows that a batch should have; None while no row was at fault."""
        if not self._num_at_fault or not self._failed_seconds:
            return None
        share = self._num_at_fault / max(self._num_rows, self._num_at_fault)
        row_seconds = self._failed_seconds / self._failed_rows
        return max(1, int(math.sqrt(self._run_seconds / (_RUNS_IN_VAIN * share * row_seconds))))
