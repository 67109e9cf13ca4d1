"""A device that is simulated: what batches cost on it, truly and as a clock shows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from spark_infer.backends import Memory
from spark_infer.model.sizing import BatchSizer, Choice, Efficiency
from spark_infer.tensors import cut_batches

Cost = Callable[[int, int], float]
"""Returns the seconds of a batch, by its tokens and its padded length."""

SPIKES = 0.01
"""Share of the batches that take five times as long."""


@dataclass
class Device:
    """A device that runs batches.

    Args:
        cost: The true seconds of a batch.
        seed: Of the noise.
        spread: By which share the times of equal batches differ.
        bytes_of: Memory of a batch, by its tokens and its padded length.
        limit_bytes: Most memory that there is.
        reports_memory: Whether it says how much of it was used.

    Attributes:
        seconds: The time on its clock.
        failed: Tokens and lengths of the batches that ran out of memory.
        ran: Tokens and lengths of the batches that ran.
    """

    cost: Cost
    seed: int = 0
    spread: float = 0.05
    bytes_of: Callable[[int, int], int] = lambda tokens, length: tokens
    limit_bytes: int = 1 << 60
    reports_memory: bool = False
    seconds: float = 0.0
    failed: list[tuple[int, int]] = field(default_factory=list)
    ran: list[tuple[int, int]] = field(default_factory=list)
    peak_bytes: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def memory(self) -> Memory | None:
        """Return the memory, where that is reported."""
        return Memory(self.peak_bytes, self.limit_bytes) if self.reports_memory else None

    def run(self, tokens: int, length: int) -> float:
        """Run a batch and return what a clock shows for it.

        Raises:
            MemoryError: It does not fit.
        """
        used = self.bytes_of(tokens, length)
        if used > self.limit_bytes:
            self.failed.append((tokens, length))
            raise MemoryError
        self.ran.append((tokens, length))
        self.peak_bytes = max(self.peak_bytes, used)
        spike = 5.0 if self._random.random() < SPIKES else 1.0
        shown = self.cost(tokens, length) * spike * math.exp(self._random.normal(0, self.spread))
        self.seconds += shown
        return shown


def stream(
    sizer: BatchSizer, device: Device, windows: Iterable[np.ndarray], *, observes: bool = True
) -> None:
    """Run windows of rows, given by their lengths, as a predictor does.

    Args:
        sizer: Chooses the sizes.
        device: Runs the batches.
        windows: Lengths of rows.
        observes: Whether the times of all batches are known.
    """
    for window in windows:
        lengths = np.sort(window)[::-1]

        def choose(length: int, num_rows: int, efficiency: Efficiency | None) -> Choice:
            return sizer.choose(length, efficiency, most=num_rows * length, look=observes)

        for cut in cut_batches(len(lengths), [lengths], choose=choose):
            tokens = (cut.stop - cut.start) * cut.length
            try:
                seconds = device.run(tokens, cut.length)
            except MemoryError:
                sizer.lower(cut.length, tokens)
                continue
            if cut.budget.wants_time:
                memory = device.memory() if cut.budget.wants_memory else None
                sizer.record(
                    cut.budget, length=cut.length, tokens=tokens, seconds=seconds, memory=memory
                )


def cost_of(window: np.ndarray, cost: Cost, size: int) -> float:
    """Return the true seconds of a window's rows in batches of one size."""
    lengths = np.sort(window)[::-1]
    cuts = cut_batches(len(lengths), [lengths], choose=lambda *_: Choice(size))
    return sum(cost((cut.stop - cut.start) * cut.length, cut.length) for cut in cuts)
