"""When there are too many failures."""

from __future__ import annotations

import logging
import re

from spark_infer.engine.options import BatchOptions
from spark_infer.errors import PredictionError, TooManyRejects, printable

_MAX_EXAMPLES = 3
_LEAST_ROWS = 1000
_SECRET = re.compile(r"(?<!\w)'[^']*(?:'|$)|\"[^\"]*(?:\"|$)|[-+]?\d[\d.,:eE+-]*")
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

    def count_bisection(self, num_rows: int, error: Exception) -> None:
        """Count a batch that is to run again.

        Raises:
            PredictionError: No failure is allowed.
            TooManyRejects: No further one is allowed.
        """
        if self._options.on_error == "fail":
            raise PredictionError(
                f"the model failed on a batch of {num_rows} row(s): {type(error).__name__}: {error}"
            ) from error
        self._num_bisections += 1
        if self._num_bisections > self._options.max_bisections:
            raise TooManyRejects(
                f"{self._options.max_bisections:,} batches were run again to find the rows on "
                f"which the model fails (max_bisections); {self._first_examples()}; last: "
                f"{describe(error)}"
            ) from error

    def count_reject(self, reason: str, cause: Exception | None = None) -> None:
        """Take note of a reason for which rows are rejected.

        Raises:
            PredictionError: No failure is allowed.
        """
        if self._options.on_error == "fail":
            raise PredictionError(f"the model failed on a row: {reason}") from cause
        if len(self._examples) < _MAX_EXAMPLES and reason not in self._examples:
            self._examples.append(reason)
            _log.warning("the model failed on a row, which is rejected: %s", reason)

    def count_failed(self, num_window: int) -> None:
        """Count a row that failed, in a window that is not finished.

        Args:
            num_window: Rows of the window that are given to the model, repeats included.

        Raises:
            TooManyRejects: The share will be above the limit even if no other row fails.
        """
        self._num_pending += 1
        failed, attempted = self._num_failed + self._num_pending, self._num_attempted + num_window
        if attempted >= _LEAST_ROWS:
            self._check(failed, attempted)

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


def describe(error: Exception) -> str:
    """Return an exception's type and first line, printable and without values of the row."""
    lines = str(error).strip().splitlines()
    text = printable(_SECRET.sub("?", lines[0])[:200]) if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
