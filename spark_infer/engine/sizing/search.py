"""The search for the batch size of one length bucket."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

from spark_infer.backends.memory import Memory

MARGIN = 1.03
"""A larger size is better when it is faster by more than this, a smaller one when it is slower by
no more: it pads less and needs less memory."""

MAX_MISSES = 2
"""Growth ends after so many sizes in a row that are not better."""

MAX_LOSS = 0.9
"""A larger size is not tried on rows of which it would pad so many more."""

MAX_SECONDS = 1.0
"""Growth ends where a batch takes longer."""

MEMORY_SHARE = 0.8
"""Growth ends where the next size would take more than this share of the memory."""

# The best of a few batches counts: the first at a new size allocates, and others may be disturbed.
_TRIES = 2
_TRIES_OF_A_MISS = 3

_FIRST_LOOK = 4
_MAX_LOOK = 64
"""Batches from one look at another size to the next: an eighth of those that there were, but
within these limits."""

LOOK_SHARE = 0.01
"""Most of the time that looks may cost in all."""

_WEIGHT = 0.3
"""Weight of a batch in the rate of its size."""


Efficiency = Callable[[int], float]
"""Returns which share of a batch's tokens is not padding, by its budget."""


class Search:
    """The search for the best token budget of one length bucket; knows nothing of the others.

    It doubles the size while that is better, then halves it while that is better: where the rate
    hardly depends on the size, what disturbed the first sizes would let it end at a large one.
    Once it is over, the rates follow what batches show, and now and then a size that looked worse
    is looked at again: the first batches of a process are seldom like those that follow.

    Attributes:
        size: The token budget on trial, or settled at.
        ceiling: The largest one that may be tried.
        settled: It is over.
        best_tokens: The best size so far; 0 before any is known.
        best_rate: The highest rate so far, in tokens per second.
        rates: Rate of each size that was tried.
    """

    def __init__(
        self,
        size: int,
        ceiling: int | None,
        *,
        settled: bool = False,
    ) -> None:
        self.ceiling = ceiling
        self.settled = settled
        self.best_tokens = 0
        self.best_rate = 0.0
        self.rates: dict[int, float] = {}
        self._num_seen: Counter[int] = Counter()
        self._num_chosen = 0
        self._next_look = _FIRST_LOOK
        self._allowance = 0.0
        self._num_misses = 0
        self._is_growing = True
        self._peak: int | None = None
        self.begin(size)

    def begin(self, size: int) -> None:
        """Put a size on trial."""
        self.size = size
        self._num_tries = 0
        self._rate = 0.0
        self._seconds = math.inf
        self._peak_before, self._peak = self._peak, None

    def record(self, rate: float, seconds: float, memory: Memory | None) -> None:
        """Count a batch of the size on trial."""
        self._num_tries += 1
        self._rate = max(self._rate, rate)
        self._seconds = min(self._seconds, seconds)
        if memory is not None:
            self._peak = memory.peak_bytes

    @property
    def is_clear(self) -> bool:
        """Whether enough batches ran to say if the size is better."""
        clear = self._is_better or self._seconds > MAX_SECONDS
        return self._num_tries >= (_TRIES if clear else _TRIES_OF_A_MISS)

    @property
    def _is_better(self) -> bool:
        if self._is_growing:
            return self._rate > MARGIN * self.best_rate
        return MARGIN * self._rate >= self.best_rate

    def conclude(self, smallest: int, largest: int, memory: Memory | None) -> None:
        """Go on to the next size, or settle at the best one.

        Args:
            smallest: Smallest size worth trying.
            largest: Largest size to try.
            memory: The device's memory.
        """
        better = self._is_better
        self.rates[self.size] = self._rate
        if better:
            self.best_tokens = self.size
            self.best_rate = max(self.best_rate, self._rate)
        self._num_misses = 0 if better else self._num_misses + 1
        if self._is_growing and 2 * self.size <= largest and self._may_grow(memory):
            self.begin(2 * self.size)
        elif (self._is_growing or better) and self.best_tokens // 2 >= smallest:
            self._is_growing = False
            self.begin(self.best_tokens // 2)
        else:
            self.size = self.best_tokens
            self.settled = True

    def _may_grow(self, memory: Memory | None) -> bool:
        """Tell whether a size twice as large is worth a try."""
        if self._num_misses == MAX_MISSES or self._seconds > MAX_SECONDS:
            return False
        if memory is None or self._peak is None:
            return True
        # The last doubling added half of what the next one will.
        added = 0 if self._peak_before is None else self._peak - self._peak_before
        return self._peak + 2 * added <= MEMORY_SHARE * memory.limit_bytes

    def choose(self, efficiency: Efficiency, *, look: bool) -> int:
        """Return the size of the next batch: once settled, the best one for its padding.

        Args:
            efficiency: What the batch would pad.
            look: Whether it may be a size that is to be looked at again.
        """
        if not self.settled:
            return self._unless_padded(self.size, self.best_tokens, efficiency)
        rates = {size: rate * efficiency(size) for size, rate in self.rates.items()}
        best = max(rates, key=lambda size: rates[size])
        self._num_chosen += 1
        self._allowance += LOOK_SHARE * best
        return self._looked_at(rates, best) if look else best

    def _looked_at(self, rates: Mapping[int, float], best: int) -> int:
        """Return another size when it is time to look at one, and one is cheap enough."""
        if self._num_chosen < self._next_look:
            return best
        # In tokens of the best size: what a batch of the other size takes longer than as many.
        costs = {
            size: size * (rates[best] / rate - 1)
            for size, rate in rates.items()
            if rate and size != best
        }
        cheap = [size for size, cost in costs.items() if cost <= self._allowance]
        if not cheap:
            return best
        size = min(cheap, key=lambda size: (self._num_seen[size], size))
        self._allowance -= costs[size]
        pause = min(max(self._num_chosen // 8, _FIRST_LOOK), _MAX_LOOK)
        self._next_look = self._num_chosen + pause
        return size

    def _unless_padded(self, size: int, best: int, efficiency: Efficiency) -> int:
        """Return the best size where another one would pad too much."""
        # A larger size is tried where rows are alike in length: elsewhere it would cost too much.
        is_padded = size > best > 0 and efficiency(size) < MAX_LOSS * efficiency(best)
        return best if is_padded else size

    def observe(self, tokens: int, rate: float) -> bool:
        """Follow the rate of a batch after the end; return whether it was a look at a size."""
        size = min((size for size in self.rates if size >= tokens), default=0)
        if 2 * tokens <= size or not size:
            return False
        self._num_seen[size] += 1
        self.rates[size] += _WEIGHT * (rate - self.rates[size])
        return size != self.best_tokens

    def lower(self, ceiling: int) -> None:
        """Stay at or below a ceiling from now on."""
        self.ceiling = min(ceiling, self.ceiling or ceiling)
        if self.size <= self.ceiling:
            return
        self.rates = {size: rate for size, rate in self.rates.items() if size <= self.ceiling}
        if self.best_tokens > self.ceiling:
            self.best_tokens, self.best_rate = 0, 0.0
        self.settled = False
        self._is_growing = True
        self._num_misses = 0
        self.begin(self.ceiling)
