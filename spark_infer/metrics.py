"""What prediction did and what it cost: counts that add up across tasks."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    # It does not know the model; it only carries what one learned.
    from spark_infer.model.sizing import LearnedSize

Stage = Literal["load", "wait", "transform", "assemble", "run", "unpack"]


@dataclass
class Metrics:
    """Counts of one or several predictors.

    Each field is written by one thread at a time: ``wait`` and ``assemble`` seconds and the
    lengths by the thread that reads, the rest by the one that runs or unpacks.

    Attributes:
        num_rows: Rows that came in.
        num_read: Rows among them, and beside them those that a filter left out, that a worker read
            from files itself.
        num_read_bytes: Bytes of them in the files, of the columns that were read, without
            compression.
        num_rejected: Rows that got no prediction, for whatever reason.
        num_failed: Rows among them on which the model failed.
        num_pending: Rows that got no prediction for want of time.
        num_predicted: Rows that the model ran, each once.
        num_repeats: Rows that took the prediction of an equal row of their window.
        num_cached: Rows that took a prediction from the cache.
        num_splits: Batches that were run again in halves for want of memory.
        num_bisections: Batches that were run again in halves to find the rows at fault.
        num_oversized: Rows that ran alone because they are longer than the token budget.
        num_real: Real positions of ragged inputs in the batches.
        num_padded: Positions of ragged inputs in the batches, padding included.
        batch_rows: Number of batches by their rows, rounded up to a power of two.
        row_lengths: Number of rows by their length, rounded up to a power of two; 0 is 0.
        seconds: Wall-clock seconds of each stage, summed over tasks: ``load`` the model, ``wait``
            for input, ``assemble`` tensors, ``run`` the model, ``unpack`` its outputs. Those of
            ``transform`` are among those of ``assemble``.
        peak_memory_bytes: Most memory that a worker's device had in use.
        learned: What ``batch_size="auto"`` came to, by padded length (a power of four); of the
            workers' sizes the largest.
    """

    num_rows: int = 0
    num_read: int = 0
    num_read_bytes: int = 0
    num_rejected: int = 0
    num_failed: int = 0
    num_pending: int = 0
    num_predicted: int = 0
    num_repeats: int = 0
    num_cached: int = 0
    num_splits: int = 0
    num_bisections: int = 0
    num_oversized: int = 0
    num_real: int = 0
    num_padded: int = 0
    batch_rows: Counter[int] = field(default_factory=Counter)
    row_lengths: Counter[int] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    peak_memory_bytes: int = 0
    learned: dict[int, LearnedSize] = field(default_factory=dict)

    def timed(self, stage: Stage) -> AbstractContextManager[None]:
        """Add the time spent inside to a stage."""
        return _Timer(self, stage)

    def spent(self, stage: Stage, seconds: float) -> None:
        """Add seconds to a stage."""
        # A Counter adds up floats as well, its type says int.
        self.seconds[stage] += seconds  # type: ignore[assignment]

    def count_batch(self, num_rows: int, real: int, padded: int) -> None:
        """Count a batch that was cut: its rows, real positions and padded positions."""
        self.batch_rows[power_of_two(num_rows)] += 1
        self.num_real += real
        self.num_padded += padded

    def count_lengths(self, lengths: npt.NDArray[np.int64]) -> None:
        """Count rows by their length."""
        exponents = np.bincount(np.ceil(np.log2(np.maximum(lengths, 0.5))).astype(np.int64) + 1)
        for exponent in np.flatnonzero(exponents).tolist():
            bucket = 1 << (exponent - 1) if exponent else 0
            self.row_lengths[bucket] += int(exponents[exponent])

    def __add__(self, other: Metrics) -> Metrics:
        summed = {
            item.name: getattr(self, item.name) + getattr(other, item.name)
            for item in fields(self)
            if item.name not in ("peak_memory_bytes", "learned")
        }
        learned = dict(self.learned)
        for length, size in other.learned.items():
            learned[length] = max(size, learned.get(length, size), key=lambda item: item.tokens)
        peak = max(self.peak_memory_bytes, other.peak_memory_bytes)
        return Metrics(**summed, peak_memory_bytes=peak, learned=learned)

    @property
    def num_batches(self) -> int:
        """Batches that the model ran."""
        return sum(self.batch_rows.values())

    @property
    def padding_efficiency(self) -> float:
        """Real positions / positions with padding, of the ragged inputs; 1.0 without any."""
        return self.num_real / self.num_padded if self.num_padded else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON data."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        learned = data.pop("learned")
        data["learned_tokens"] = {
            length: size.tokens for length, size in learned.items() if size.rates
        }
        for name in ("batch_rows", "row_lengths", "learned_tokens"):
            data[name] = {str(key): count for key, count in sorted(data[name].items())}
        data["seconds"] = {stage: round(value, 6) for stage, value in self.seconds.items()}
        data["num_batches"] = self.num_batches
        data["padding_efficiency"] = round(self.padding_efficiency, 4)
        return data


class _Timer:
    # A generator with contextlib's decorator takes four times as long.
    __slots__ = ("_metrics", "_stage", "_start")

    def __init__(self, metrics: Metrics, stage: Stage) -> None:
        self._metrics = metrics
        self._stage = stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._metrics.spent(self._stage, time.perf_counter() - self._start)


def power_of_two(number: int) -> int:
    """Return the smallest power of two that is at least ``number``; 0 for 0."""
    return 1 << (number - 1).bit_length() if number else 0
