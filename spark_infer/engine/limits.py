"""When there are too many failures."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from spark_infer.errors import PredictionError, TooManyRejects
from spark_infer.model import BatchOptions, Result

_MAX_EXAMPLES = 3
_LEAST_ROWS = 1000
_log = logging.getLogger("spark_infer")


class FailureLimits:
    """Counts failures, and stops when there are more than the options allow.

    Args:
        options: The limits.
    """

    def __init__(self, options: BatchOptions) -> None:
        self._options = options
        self._examples: list[str] = []
        self._num_bisections = 0
        self._num_attempted = 0
        self._num_failed = 0
        self._num_pending = 0

    def count(self, result: Result, reasons: Sequence[str], num_window: int) -> None:
        """Count what came of some rows of a window that is not finished.

        Args:
            result: What the model said.
            reasons: Why rows of it are rejected.
            num_window: Rows of the window that are given to the model, repeats included.

        Raises:
            PredictionError: A row failed, and none may.
            TooManyRejects: Too many batches were run again, or the share of rows that failed will
                be above the limit even if no other one fails.
        """
        for reason in reasons:
            self._count_reason(reason)
        if result.num_bisections:
            self._count_bisections(result.num_bisections)
        if result.outputs is None:
            self._num_pending += len(result.rows)
            attempted = self._num_attempted + num_window
            if attempted >= _LEAST_ROWS:
                self._check(self._num_failed + self._num_pending, attempted)

    def _count_reason(self, reason: str) -> None:
        if self._options.on_error == "fail":
            raise PredictionError(f"the model failed on a row: {reason}")
        if len(self._examples) < _MAX_EXAMPLES and reason not in self._examples:
            self._examples.append(reason)
            _log.warning("the model failed on a row, which is rejected: %s", reason)

    def _count_bisections(self, count: int) -> None:
        self._num_bisections += count
        if self._num_bisections > self._options.max_bisections:
            raise TooManyRejects(
                f"{self._options.max_bisections:,} batches were run again to find the rows on "
                f"which the model fails (max_bisections); {self._first_examples()}"
            )

    def count_rows(self, num_attempted: int, num_failed: int) -> None:
        """Count the rows of a finished window.

        Raises:
            TooManyRejects: The share of failed rows is above the limit, after enough rows to tell.
        """
        self._num_attempted += num_attempted
        self._num_failed += num_failed
        self._num_pending = max(0, self._num_pending - num_failed)
        if self._num_attempted >= _LEAST_ROWS:
            self.check_share()

    def check_share(self) -> None:
        """Stop where too large a share of the rows failed.

        Raises:
            TooManyRejects: It is above the limit.
        """
        self._check(self._num_failed, self._num_attempted)

    def _check(self, num_failed: int, num_attempted: int) -> None:
        if num_failed > self._options.max_rejected_share * num_attempted:
            raise TooManyRejects(
                f"the model failed on {num_failed:,} of {num_attempted:,} rows, more than "
                f"max_rejected_share {self._options.max_rejected_share} allows; "
                f"{self._first_examples()}; correct the rows or the model, or raise the limit"
            )

    def _first_examples(self) -> str:
        return f"first: {'; '.join(self._examples)}" if self._examples else "no row is known yet"
