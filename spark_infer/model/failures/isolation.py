"""Find the rows at fault when a batch fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock

from spark_infer.backends import Backend, is_device_fault, is_out_of_memory
from spark_infer.errors import PredictionError, SparkInferError
from spark_infer.metrics import Metrics
from spark_infer.model.failures.cost import RerunCost
from spark_infer.model.failures.failure import Failure, describe
from spark_infer.model.model import Result, Window
from spark_infer.model.options import BatchOptions
from spark_infer.model.sizing import BatchSizer
from spark_infer.tensors import Rows


@dataclass(frozen=True)
class _Part:
    """Rows of a batch that are still to be looked at.

    Attributes:
        rows: The rows.
        failure: How they failed, or how they and those before them failed together.
        num_failed: Rows at fault when that was seen. As long as there are no more, those before
            them were sound, and the fault must be in these.
    """

    rows: Rows
    failure: Failure | None = None
    num_failed: int = 0


@dataclass
class Isolation:
    """Runs a batch that failed again in halves, down to the rows at fault.

    Attributes:
        backend: The model.
        options: How batches are padded, and whether to stop at the first failure.
        sizer: Is told how much was too much for the memory.
        cost: What failing batches cost.
        metrics: Where to count.
        turn: Is held while the backend is used: others start batches in between.
    """

    backend: Backend
    options: BatchOptions
    sizer: BatchSizer
    cost: RerunCost
    metrics: Metrics
    turn: Lock

    def results(
        self, window: Window, rows: Rows, length: int, failure: Failure
    ) -> Iterator[Result]:
        """Yield the results of a batch's rows, part by part.

        Args:
            window: The window they belong to.
            rows: The rows of the batch that failed.
            length: Their padded length.
            failure: How it failed.

        Raises:
            PredictionError: The options say stop, or the device does no more work.
        """
        self._count(rows, failure)
        num_failed = num_bisections = 0
        # Sizes of batches for which memory ran out, and the least of them of which a part then ran.
        splits: list[int] = []
        most = too_many = max(1, self.sizer.ceiling(length) // length) + 1
        parts = [_Part(rows, failure)]
        while parts:
            part = parts.pop()
            outcome: Result | Failure
            if part.failure is not None and part.num_failed == num_failed:
                outcome = part.failure
            elif len(part.rows) >= too_many:
                parts += _halves(part.rows)
                continue
            else:
                outcome = self._attempt(window, part.rows)
            if isinstance(outcome, Result):
                too_many = min([too_many, *splits])
                yield replace(outcome, num_bisections=num_bisections)
                num_bisections = 0
                continue
            is_alone = len(part.rows) == 1
            if is_out_of_memory(outcome.error):
                self._make_room(outcome)
                if is_alone:
                    # The sizes of the batches that it was in may not have been at fault.
                    splits, too_many = [], most
                else:
                    self.metrics.num_splits += 1
                    splits.append(len(part.rows))
                    parts += _halves(part.rows)
            else:
                self._count_bisection(part.rows, outcome)
                num_bisections += 1
                if not is_alone:
                    parts += _halves(part.rows, outcome, num_failed)
            if is_alone:
                num_failed += 1
                yield self._rejected(part.rows, outcome, num_bisections)
                num_bisections = 0
        if splits:
            self.sizer.lower(length, min(splits) * length)

    def _attempt(self, window: Window, rows: Rows) -> Result | Failure:
        # A function of its own: its tensors are gone when the next part runs.
        stage, start = "assemble", time.perf_counter()
        try:
            tensors = window.decoded.tensors(rows, self.options.pad_rule)
            stage = "run"
            with self.turn:
                outputs = self.backend.run(tensors)
            return Result(rows, outputs, window.longest(tensors))
        except Exception as error:
            # A model may raise anything.
            failure = Failure(stage, error, time.perf_counter() - start)
        self._count(rows, failure)
        return failure

    def _count(self, rows: Rows, failure: Failure) -> None:
        """Count a run that failed.

        Raises:
            PredictionError: None of the rows is at fault.
        """
        error = failure.error
        if isinstance(error, SparkInferError):
            raise error
        if is_device_fault(error):
            raise PredictionError(
                f"the device does no more work after {describe(error)}; most often an id is out "
                "of range: check ids in the query, or find the row with device 'cpu'"
            ) from error
        if not is_out_of_memory(error):
            self.cost.count_failed_run(len(rows), failure.seconds)

    def _make_room(self, failure: Failure) -> None:
        # The traceback holds the batch's tensors.
        failure.error.__traceback__ = None
        with self.turn:
            self.backend.release()

    def _count_bisection(self, rows: Rows, failure: Failure) -> None:
        self.metrics.num_bisections += 1
        if self.options.on_error == "fail":
            error = failure.error
            raise PredictionError(
                f"the model failed on a batch of {len(rows)} row(s): {type(error).__name__}: "
                f"{error}"
            ) from error

    def _rejected(self, rows: Rows, failure: Failure, num_bisections: int) -> Result:
        reason = failure.reason()
        if self.options.on_error == "fail":
            raise PredictionError(f"the model failed on a row: {reason}") from failure.error
        return Result(rows, reason=reason, num_bisections=num_bisections)


def _halves(rows: Rows, failure: Failure | None = None, num_failed: int = 0) -> list[_Part]:
    """Return both halves, the first one at the end, where it is taken from.

    The second must fail where the first does not; unless it is one row, which is to say by itself
    why it fails.
    """
    first, second = rows.halves()
    return [_Part(second, failure if len(second) > 1 else None, num_failed), _Part(first)]
