"""Find the rows at fault when a batch fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from spark_infer.backends import Backend, is_device_fault, is_out_of_memory
from spark_infer.engine.failures.cost import RerunCost
from spark_infer.engine.failures.limits import FailureLimits, describe
from spark_infer.engine.metrics import Metrics
from spark_infer.engine.options import BatchOptions
from spark_infer.engine.sizing import BatchSizer
from spark_infer.engine.work import Result, Work, count, halves
from spark_infer.errors import PredictionError, SparkInferError
from spark_infer.tensors.arrow.leaves import Rows


@dataclass(frozen=True)
class Failure:
    """Why rows have no outputs.

    Attributes:
        stage: What was being done with them: ``assemble`` or ``run``.
        error: What it raised.
        seconds: How long it took.
    """

    stage: str
    error: Exception
    seconds: float

    def reason(self) -> str:
        """Return stage, type and first line of the error, without what may be the row's values."""
        return f"{self.stage}: {describe(self.error)}"


@dataclass
class Isolation:
    """Runs a batch that failed again in halves, down to the rows at fault.

    Attributes:
        backend: The model.
        options: How batches are padded.
        sizer: Is told how much was too much for the memory.
        limits: Say when to give up.
        metrics: Where to count.
        cost: What failing batches cost.
    """

    backend: Backend
    options: BatchOptions
    sizer: BatchSizer
    limits: FailureLimits
    metrics: Metrics
    cost: RerunCost = field(default_factory=RerunCost)
    _num_alone: int = field(default=0, init=False)

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
        if isinstance(error, SparkInferError):
            raise error
        if is_device_fault(error):
            raise PredictionError(
                f"the device does no more work after {describe(error)}; most often an id is out "
                "of range: check ids in the query, or find the row with device 'cpu'"
            ) from error
        if is_out_of_memory(error):
            yield from self._in_less_memory(work, rows, length, failure)
        else:
            self.cost.count_failed_run(count(rows), failure.seconds)
            yield from self._at_fault(work, rows, length, failure)

    def _in_less_memory(
        self, work: Work, rows: Rows, length: int, failure: Failure
    ) -> Iterator[Result]:
        # The traceback holds the batch's tensors.
        failure.error.__traceback__ = None
        self.backend.release()
        if count(rows) == 1:
            self._num_alone += 1
            yield self._rejected(work, rows, failure)
            return
        self.metrics.num_splits += 1
        num_alone = self._num_alone
        for part in halves(rows):
            yield from self._again(work, part, length)
        # Where a row does not fit alone, the batch's size may not have been at fault.
        if self._num_alone == num_alone:
            self.sizer.lower(length, count(rows) * length)

    def _at_fault(self, work: Work, rows: Rows, length: int, failure: Failure) -> Iterator[Result]:
        self.metrics.num_bisections += 1
        self.limits.count_bisection(count(rows), failure.error)
        if count(rows) == 1:
            yield self._rejected(work, rows, failure)
            return
        first, second = halves(rows)
        is_sound = True
        for result in self._again(work, first, length):
            is_sound = is_sound and result.outputs is not None
            yield result
        if is_sound and count(second) > 1:
            # The fault must be in the other half: no need to see that fail too.
            yield from self._at_fault(work, second, length, failure)
        else:
            yield from self._again(work, second, length)

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
        stage, start = "assemble", time.perf_counter()
        try:
            tensors = work.decoded.tensors(rows, self.options.pad_rule)
            stage = "run"
            return Result(rows, self.backend.run(tensors), work.longest(tensors))
        except Exception as error:
            # A model may raise anything.
            return Failure(stage, error, time.perf_counter() - start)

    def _rejected(self, work: Work, rows: Rows, failure: Failure) -> Result:
        reason = failure.reason()
        self.limits.count_reject(reason, failure.error)
        self.limits.count_failed(count(work.accepted))
        return Result(rows, reason=reason)
