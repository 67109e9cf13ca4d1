"""The batch size of one length bucket after the search."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace

from spark_infer.model.sizing.choice import Efficiency, Purpose, shows
from spark_infer.model.sizing.learned import LearnedSize
from spark_infer.model.sizing.reference import Reference, typical

LEAD = 1.01
"""A size takes the place of the best one when it is faster by more than this."""

LOOK_SHARE = 0.01
"""Most of the time that looks may cost in all."""

_FIRST_LOOK = 4
_MAX_LOOK = 16
"""Batches from one look at another size to the next: an eighth of those that there were, but
within these limits."""

_MAX_WAIT = 64
"""For the allowance of so many batches a look is put off, and not given up for a cheaper one."""

_NUM_KEPT = 15
_NUM_BEFORE = 3
"""Comparisons from which the rate of a size follows, and as how many that of the search counts."""


class Settled:
    """The best token budget of one length bucket.

    The rates follow what batches show, and now and then a size that looked worse is looked at
    again.

    Attributes:
        known: What is known by now.
    """

    def __init__(self, known: LearnedSize) -> None:
        self.known = known
        self._reference = Reference()
        self._seen = {
            size: deque([rate] * _NUM_BEFORE, _NUM_KEPT) for size, rate in known.rates.items()
        }
        self._num_seen: Counter[int] = Counter()
        self._num_chosen = 0
        self._next_look = _FIRST_LOOK
        self._allowance = 0.0

    def choose(self, efficiency: Efficiency, most: int, *, look: bool) -> tuple[int, Purpose]:
        """Return the best size for a batch's padding.

        Args:
            efficiency: What the batch would pad.
            most: Most tokens that it can have.
            look: Whether it may have a size that is to be looked at again, although another one
                was faster.
        """
        rates = {
            size: rate * efficiency(size)
            for size, rate in self.known.rates.items()
            if shows(most, size)
        }
        if not rates:
            return min(self.known.rates), "use"
        best = _best(rates, self.known.tokens)
        if not look:
            return best, "use"
        self._num_chosen += 1
        self._allowance += LOOK_SHARE * best
        other = self._looked_at(rates, best)
        return (best, "settled") if other is None else (other, "look")

    def _looked_at(self, rates: Mapping[int, float], best: int) -> int | None:
        """Return another size when it is time to look at one, and one is cheap enough."""
        if self._num_chosen < self._next_look:
            return None
        # In tokens of the best size: what a batch of the other size takes longer than as many.
        costs = {
            size: size * (rates[best] / rate - 1) for size, rate in rates.items() if size != best
        }
        affordable = self._allowance + _MAX_WAIT * LOOK_SHARE * best
        # Sizes that are nearly as fast are most likely to be the best in truth.
        turns = {
            size: (self._num_seen[size] + 1) * (rates[best] / rates[size]) ** 4
            for size, cost in costs.items()
            if cost <= affordable
        }
        size = min(turns, key=lambda size: (turns[size], size), default=best)
        if size == best or costs[size] > self._allowance:
            return None
        self._num_seen[size] += 1
        self._allowance -= costs[size]
        pause = min(max(self._num_chosen // 8, _FIRST_LOOK), _MAX_LOOK)
        self._next_look = self._num_chosen + pause
        return size

    def record(self, size: int, length: int, rate: float) -> bool:
        """Count a batch; return whether that changed the rate of its size.

        Args:
            size: Its budget.
            length: Its padded length.
            rate: Tokens per second.
        """
        if size not in self._seen:
            return False
        relative = self._reference.compare(size, length, rate)
        if relative is not None:
            self._seen[size].append(relative)
            rates = {**self.known.rates, size: typical(self._seen[size])}
            self.known = replace(self.known, rates=rates, tokens=_best(rates, self.known.tokens))
        self._reference.set(size, length, rate / self.known.rates[size])
        return relative is not None


def _best(rates: Mapping[int, float], current: int) -> int:
    best = max(rates, key=lambda size: rates[size])
    return best if rates[best] > LEAD * rates.get(current, 0.0) else current
