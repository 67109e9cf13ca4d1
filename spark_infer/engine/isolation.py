"""Find the rows at fault when a batch fails, and say when there are too many of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from spark_infer.backends import Backend, is_out_of_memory
from spark_infer.engine.metrics import Metrics
from spark_infer.engine.options import BatchOptions
from spark_infer.engine.sizing import BatchSizer
from spark_infer.engine.work import Result, Work, count, halves
from spark_infer.errors import PredictionError, SparkInferError, TooManyRejects
from spark_infer.tensors.leaves import Rows

_MAX_EXAMPLES = 3
_LEAST_ROWS = 1000
_SECRET = re.compile(r"'[^']*'|\"[^\"]*\"|[-+]?\d[\d.,:eE+-]*")
_log = logging.getLogger("spark_infer")


@dataclass(frozen=True)
class Failure:
    """Why rows have no outputs.

    Attributes:
        stage: What was being done with them: ``assemble`` or ``run``.
        error: What it raised.
    """

    stage: str
    error: Exception

    def reason(self) -> str:
        """Return stage, type and first line of the error, without what may be the row's values."""
        return f"{self.stage}: {describe(self.error)}"


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

    def count_rows(self, num_attempted: int, num_failed: int) -> None:
        """Count the rows of a finished window.

        Raises:
            TooManyRejects: The share of failed rows is above the limit, after enough rows to tell.
        """
        self._num_attempted += num_attempted
        self._num_failed += num_failed
        if self._num_attempted >= _LEAST_ROWS:
            self.check_share()

    def check_share(self) -> None:
        """Stop where too large a share of the rows failed.

        Raises:
            TooManyRejects: It is above the limit.
        """
        if self._num_failed > self._options.max_rejected_share * self._num_attempted:
            raise TooManyRejects(
                f"the model failed on {self._num_failed:,} of {self._num_attempted:,} rows, more "
                f"than max_rejected_share {self._options.max_rejected_share} allows; "
                f"{self._first_examples()}"
            )

    def _first_examples(self) -> str:
        return f"first: {'; '.join(self._examples)}" if self._examples else "no row is known yet"


@dataclass
class Isolation:
    """Runs a batch that failed again in parts, down to the rows at fault.

    Attributes:
        backend: The model.
        options: How batches are padded.
        sizer: Is told how much was too much for the memory.
        limits: Say when to give up.
        metrics: Where to count.
    """

    backend: Backend
    options: BatchOptions
    sizer: BatchSizer
    limits: FailureLimits
    metrics: Metrics

    def results(self, work: Work, rows: Rows, length: int, failure: Failure) -> Iterator[Result]:
        """Yield the results of a batch's rows, part by part.

        Args:
            work: The window they belong to.
            rows: The rows of the batch that failed.
            length: Their padded length.
            failure: How it failed.

        Raises:
            PredictionError: The options say stop.
        """
        error = failure.error
        if is_out_of_memory(error):
            # The traceback holds the batch's tensors.
            error.__traceback__ = None
            self.sizer.lower(length, count(rows) * length)
            self.metrics.num_splits += 1
            self.backend.release()
        elif isinstance(error, SparkInferError):
            raise error
        else:
            self.metrics.num_bisections += 1
            self.limits.count_bisection(count(rows), error)
        if count(rows) == 1:
            reason = failure.reason()
            self.limits.count_reject(reason, error)
            yield Result(rows, reason=reason)
            return
        for part in halves(rows):
            yield from self._again(work, part, length)

    def _again(self, work: Work, rows: Rows, length: int) -> Iterator[Result]:
        # A half is still too much where the other one has just lowered the ceiling below it.
        if count(rows) > max(1, self.sizer.ceiling(length) // length):
            for part in halves(rows):
                yield from self._again(work, part, length)
            return
        result = self._attempt(work, rows)
        if isinstance(result, Failure):
            yield from self.results(work, rows, length, result)
        else:
            yield result

    def _attempt(self, work: Work, rows: Rows) -> Result | Failure:
        # A function of its own: its tensors are gone when the next part runs.
        stage = "assemble"
        try:
            tensors = work.decoded.tensors(rows, self.options.pad_rule)
            stage = "run"
            return Result(rows, self.backend.run(tensors), work.longest(tensors))
        except Exception as error:
            # A model may raise anything.
            return Failure(stage, error)


def describe(error: Exception) -> str:
    """Return an exception's type and first line, without what may be values of the row."""
    lines = str(error).strip().splitlines()
    text = _SECRET.sub("?", lines[0])[:200] if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
