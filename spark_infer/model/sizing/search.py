"""The search for the batch size of one length bucket."""

from __future__ import annotations

import statistics
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

NEAR = 1.5
"""Batches whose lengths differ by no more than this factor are compared: in a transformer a token
of a row twice as long may cost a fifth more."""

_TRIES = 2
_TRIES_IN_DOUBT = 3
"""Batches of a size on trial; more where the first ones do not agree, for the first batch of a size
allocates, and any may be disturbed."""

_FIRST_LOOK = 4
_MAX_LOOK = 64
"""Batches from one look at another size to the next: an eighth of those that there were, but
within these limits."""

LOOK_SHARE = 0.01
"""Most of the time that looks may cost in all."""

_WEIGHT = 0.2
"""Weight of a batch in the rate of its size."""


Efficiency = Callable[[int], float]
"""Returns which share of a batch's tokens is not padding, by its budget."""


class Search:
    """The search for the best token budget of one length bucket; knows nothing of the others.

    It doubles the size while that is better, then halves it while that is better. How fast a
    size is depends on the rows' length as much, and on what else the machine does; so a batch is
    always compared with one of another size that ran just before it, on rows of nearly the same
    length. Once the search is over, the rates follow what batches show, and now and then a size
    that looked worse is looked at again.

    Attributes:
        size: The token budget on trial, or settled at.
        ceiling: The largest one that may be tried.
        settled: It is over.
        best_tokens: The best size so far; 0 before any is known.
        rates: Tokens per second of each size that was tried, as a multiple of the first one's.
    """

    def __init__(
        self,
        size: int,
        ceiling: int | None,
        *,
        settled: bool = False,
        rates: Mapping[int, float] | None = None,
        best_tokens: int = 0,
    ) -> None:
        self.ceiling = ceiling
        self.settled = settled
        self.best_tokens = best_tokens
        self.rates = dict(rates or {})
        self._reference = _Reference()
        self._num_seen: Counter[int] = Counter()
        self._num_chosen = 0
        self._next_look = _FIRST_LOOK
        self._allowance = 0.0
        self._num_misses = 0
        self._is_growing = True
        self._peak: int | None = None
        self._begin(size)

    def _begin(self, size: int) -> None:
        """Put a size on trial."""
        self.size = size
        self._tries: list[float] = []
        self._seconds = float("inf")
        self._peak_before, self._peak = self._peak, None

    def size_of(self, tokens: int, rows: int) -> int | None:
        """Return the size that a batch shows the rate of; None when it shows none.

        A batch of half a size or less says nothing about it: rows were few. One row is never too
        many.
        """
        known = self.rates if self.settled else [*self.rates, self.size]
        size = min((size for size in known if tokens <= size), default=None)
        if size is None:
            return self.size if rows == 1 and not self.settled else None
        return size if 2 * tokens > size else None

    def wants(self, tokens: int, rows: int) -> bool:
        """Tell whether a batch has the size on trial, or one to compare it with."""
        size = self.size_of(tokens, rows)
        if self.settled or size is None:
            return False
        return size == self.size or self._reference.is_used

    def record(
        self, size: int, length: int, rate: float, seconds: float, memory: Memory | None
    ) -> bool:
        """Count a batch; return whether that changed the rate of a settled search.

        Args:
            size: What ``size_of`` returned.
            length: Its padded length.
            rate: Tokens per second.
            seconds: What it took.
            memory: The device's memory after it.
        """
        relative = self._reference.compare(size, length, rate)
        is_trial = not self.settled and size == self.size
        if self.settled and relative is not None:
            self._num_seen[size] += 1
            self.rates[size] += _WEIGHT * (relative - self.rates[size])
            self.size = self.best_tokens = max(self.rates, key=lambda size: self.rates[size])
        elif is_trial:
            if relative is not None or not self.best_tokens:
                self._tries.append(relative or 1.0)
            self._seconds = min(self._seconds, seconds)
            if memory is not None:
                self._peak = memory.peak_bytes
        if not is_trial or not self.best_tokens:
            self._reference.set(size, length, rate / self.rates.get(size, 1.0))
        else:
            self._reference.is_used = True
        return self.settled and relative is not None

    @property
    def is_clear(self) -> bool:
        """Whether enough batches ran to say if the size on trial is better."""
        agree = len({self._is_better(rate) for rate in self._tries}) == 1
        clear = agree or self._seconds > MAX_SECONDS
        return len(self._tries) >= (_TRIES if clear else _TRIES_IN_DOUBT)

    def _is_better(self, rate: float) -> bool:
        best = self.rates.get(self.best_tokens, 0.0)
        return rate > MARGIN * best if self._is_growing else MARGIN * rate >= best

    def conclude(self, smallest: int, largest: int, memory: Memory | None) -> None:
        """Go on to the next size, or settle at the best one.

        Args:
            smallest: Smallest size worth trying.
            largest: Largest size to try.
            memory: The device's memory.
        """
        rate = statistics.median(self._tries)
        better = self._is_better(rate)
        self.rates[self.size] = rate
        if better:
            self.best_tokens = self.size
        self._num_misses = 0 if better else self._num_misses + 1
        if self._is_growing and 2 * self.size <= largest and self._may_grow(memory):
            self._begin(2 * self.size)
        elif (self._is_growing or better) and self.best_tokens // 2 >= smallest:
            self._is_growing = False
            self._begin(self.best_tokens // 2)
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
            return self._tried(efficiency)
        rates = {size: rate * efficiency(size) for size, rate in self.rates.items()}
        best = max(rates, key=lambda size: rates[size])
        self._num_chosen += 1
        self._allowance += LOOK_SHARE * best
        return self._looked_at(rates, best) if look else best

    def _tried(self, efficiency: Efficiency) -> int:
        """Return the size on trial, or the best one where there is nothing to compare it with."""
        size, best = self.size, self.best_tokens
        if not best:
            return size
        # A larger size is tried where rows are alike in length: elsewhere it would cost too much.
        is_padded = size > best and efficiency(size) < MAX_LOSS * efficiency(best)
        return best if self._reference.is_used or is_padded else size

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

    def lower(self, ceiling: int) -> None:
        """Stay at or below a ceiling from now on."""
        self.ceiling = min(ceiling, self.ceiling or ceiling)
        if self.best_tokens > self.ceiling:
            self.best_tokens, self.rates = 0, {}
        self.rates = {size: rate for size, rate in self.rates.items() if size <= self.ceiling}
        if self.size <= self.ceiling:
            return
        self.settled = self.ceiling in self.rates
        self._is_growing = True
        self._num_misses = 0
        self._reference = _Reference()
        self._begin(self.best_tokens if self.settled else self.ceiling)


class _Reference:
    """A batch that others are compared with.

    Attributes:
        is_used: Another one is wanted before the next comparison.
    """

    def __init__(self) -> None:
        self._size = 0
        self._length = 0
        self._rate = 0.0
        self.is_used = True

    def set(self, size: int, length: int, rate: float) -> None:
        """Compare with this batch from now on; ``rate`` is what the first size would reach."""
        self._size, self._length, self._rate = size, length, rate
        self.is_used = False

    def compare(self, size: int, length: int, rate: float) -> float | None:
        """Return a batch's rate as a multiple of the first size's; None when they are not alike."""
        if size == self._size or not self._rate:
            return None
        is_near = max(length, self._length) <= NEAR * min(length, self._length)
        return rate / self._rate if is_near else None
