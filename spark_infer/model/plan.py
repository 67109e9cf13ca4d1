"""Rows of windows to batches of tensors."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

import numpy as np

from spark_infer.backends import Array
from spark_infer.metrics import Metrics
from spark_infer.model.deadline import is_over
from spark_infer.model.failures import RerunCost
from spark_infer.model.model import Window
from spark_infer.model.options import BatchOptions
from spark_infer.model.sizing import BatchSizer, Choice, Efficiency
from spark_infer.tensors import Cut, Rows, TransformFailed, cut_batches, length_order

NO_CHOICE = Choice(1)
"""The budget of no rows."""


@dataclass(frozen=True)
class Batch:
    """Rows that run together.

    Attributes:
        window: The window they belong to.
        rows: The rows; none where none of a window is to run.
        length: Padded length, summed over the ragged inputs; 1 without any.
        choice: The budget within which they are.
        tensors: What the model gets.
        seconds: What it took to assemble them.
        error: Why there are no tensors.
        is_late: Whether it is not to run, for want of time; it has no tensors.
        ends_window: Whether it is the last of its window.
    """

    window: Window
    rows: Rows
    length: int = 1
    choice: Choice = NO_CHOICE
    tensors: dict[str, Array] = field(default_factory=dict)
    seconds: float = 0.0
    error: Exception | None = None
    is_late: bool = False
    ends_window: bool = False

    @property
    def longest(self) -> dict[str, int]:
        """Padded length of each ragged input, by name."""
        return self.window.longest(self.tensors) if self.tensors else {}


class Plan:
    """Orders a window's rows by length, cuts them into batches and pads these.

    Args:
        options: The limits of batches, and what they are padded to.
        sizer: Says how many tokens a batch should have.
        cost: Says how many rows it should have at most, where rows fail.
        metrics: Where to count.
        looks: Whether a batch may have a size that is only to be looked at again.
    """

    def __init__(
        self,
        options: BatchOptions,
        sizer: BatchSizer,
        cost: RerunCost,
        metrics: Metrics,
        *,
        looks: bool,
    ) -> None:
        self._options = options
        self._sizer = sizer
        self._cost = cost
        self._metrics = metrics
        self._looks = looks

    def batches(self, windows: Iterable[Window]) -> Generator[Batch, None, None]:
        """Yield the batches of windows, at least one for each."""
        for window in windows:
            yield from self._of_window(window)

    def _of_window(self, window: Window) -> Generator[Batch, None, None]:
        with self._metrics.timed("assemble"):
            rows = self._ordered(window)
        if not len(rows):
            yield Batch(window, rows, ends_window=True)
            return
        padded = window.decoded.padded(rows, self._options.pad_rule)
        cuts = cut_batches(
            len(rows),
            padded,
            choose=self._choose,
            max_rows=self._max_rows,
            max_tokens=self._options.max_tokens,
        )
        for cut in cuts:
            yield self._assembled(window, rows, cut)

    def _ordered(self, window: Window) -> Rows:
        lengths = [window.rows.take(lengths) for lengths in window.decoded.ragged.values()]
        if not lengths:
            return window.rows
        self._metrics.count_lengths(np.sum(lengths, axis=0))
        return window.rows.ordered(length_order(lengths))

    def _assembled(self, window: Window, ordered: Rows, cut: Cut[Choice]) -> Batch:
        rows = ordered.part(cut.start, cut.stop)
        ends_window = cut.stop == len(ordered)
        if is_over(self._options.until):
            return Batch(window, rows, is_late=True, ends_window=ends_window)
        tensors: dict[str, Array] = {}
        error: Exception | None = None
        start = time.perf_counter()
        try:
            tensors = window.decoded.tensors(rows, self._options.pad_rule)
        except (MemoryError, TransformFailed) as raised:
            error = raised
        seconds = time.perf_counter() - start
        self._metrics.spent("assemble", seconds)
        self._count(window, rows, cut.length)
        return Batch(
            window,
            rows,
            cut.length,
            cut.budget,
            tensors,
            seconds,
            error,
            ends_window=ends_window,
        )

    def _max_rows(self) -> int | None:
        """Return the most rows of a batch."""
        size = self._options.batch_size
        limits = [None if size == "auto" else size, self._cost.max_rows()]
        return min((limit for limit in limits if limit is not None), default=None)

    def _choose(self, length: int, num_rows: int, efficiency: Efficiency | None) -> Choice:
        """Return the budget of a batch of this padded length."""
        if self._options.batch_size != "auto":
            return Choice(self._sizer.ceiling(length))
        most = num_rows * length
        return self._sizer.choose(length, efficiency, most=most, look=self._looks)

    def _count(self, window: Window, rows: Rows, length: int) -> None:
        metrics, num_rows = self._metrics, len(rows)
        lengths = window.decoded.ragged.values()
        real = sum(int(rows.take(of_input).sum()) for of_input in lengths)
        metrics.num_predicted += num_rows
        metrics.count_batch(num_rows, real, num_rows * length if lengths else 0)
        most = self._options.max_tokens
        if most is not None and length > most:
            metrics.num_oversized += 1
