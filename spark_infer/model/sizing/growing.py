"""The search for the batch size of one length bucket."""

from __future__ import annotations

import math
from dataclasses import replace

from spark_infer.model.sizing.choice import Efficiency, Purpose, shows
from spark_infer.model.sizing.learned import LearnedSize
from spark_infer.model.sizing.reference import Reference, typical

MARGIN = 1.01
"""A larger size is better when it is faster by more than this, a smaller one when it is slower by
no more: it pads less and needs less memory."""

WORSE = 0.95
"""A size is worse, and not only no better, when it is slower than this share of the best rate."""

MAX_MISSES = 3
"""Growth ends after so many sizes in a row that are not better; those that are worse count twice.
Past a level stretch there may be a faster size, and crossing it costs next to nothing."""

MAX_LOSS = 0.9
"""A larger size is not tried on rows of which it would pad so many more."""

MAX_SECONDS = 1.0
"""Growth ends where a batch takes longer."""

_MIN_TRIES = 2
_MAX_TRIES = 16
"""Batches of a size on trial: more where it is in doubt whether the size is better, for any batch
may be disturbed. They are cheap just there: doubt means that the sizes are nearly as fast."""

_MOST_EVIDENCE = 0.13
_ENOUGH_EVIDENCE = 0.38
"""A try speaks for or against its size by the logarithm of its rate beside what is wanted, and by
no more than the first number, whatever disturbed it; the second is enough in sum. Where the rates
of equal batches spread by 5 %, a difference of 5 % is then mistaken once in a hundred times."""


class Growing:
    """The search for the best token budget of one length bucket; knows nothing of the others.

    It doubles the size while that is better, then halves it while that is better.

    Args:
        known: What is known; with rates when the search goes on where another one was.
        size: The first size to try.
        smallest: Smallest size worth trying.
        largest: Largest size to try.

    Attributes:
        known: What is known by now.
        size: The token budget on trial.
        is_over: The search is over; what it came to stands in ``known``.
    """

    def __init__(self, known: LearnedSize, size: int, *, smallest: int, largest: int) -> None:
        self.known = known
        self.is_over = False
        self._smallest = smallest
        self._largest = largest
        self._reference = Reference()
        self._is_growing = True
        self._num_misses = 0
        self._bar = 0.0
        self._settles = True
        self._begin(size)

    def _begin(self, size: int) -> None:
        """Put a size on trial."""
        self.size = size
        self._tries: list[float] = []
        self._seconds = float("inf")

    def choose(self, efficiency: Efficiency, most: int, *, look: bool) -> tuple[int, Purpose]:
        """Return the size on trial, or the best one where there is nothing to compare it with.

        Args:
            efficiency: What the batch would pad.
            most: Most tokens that it can have.
            look: Whether it may show more than the search needs.
        """
        size = self.size
        if not self.known.rates:
            return size, "trial" if shows(most, size) else "use"
        best = self.known.tokens
        # A larger size is tried where rows are alike in length: elsewhere it would cost too much.
        is_padded = size > best and efficiency(size) < MAX_LOSS * efficiency(best)
        if shows(most, size) and not is_padded and not self._reference.is_used:
            return size, "trial"
        # Of two batches to compare with the newer one is worth more, where its time costs nothing.
        is_wanted = shows(most, best) and (look or self._reference.is_used)
        return best, "compare" if is_wanted else "use"

    def record(
        self, size: int, length: int, rate: float, seconds: float, *, has_room: bool
    ) -> bool:
        """Count a batch; return whether that was a step of the search.

        Args:
            size: Its budget; one of before the last step counts as well.
            length: Its padded length.
            rate: Tokens per second.
            seconds: What it took.
            has_room: Whether the memory suffices for a batch of twice the largest size so far.
        """
        rates = self.known.rates
        if size != self.size:
            if size not in rates:
                return False
            self._reference.set(size, length, rate / rates[size])
            if has_room or not self._is_growing or self._seconds < float("inf"):
                return False
            # Where the search began, in another process, there was more room.
            self._shrink(go_on=True)
            return True
        self._seconds = min(self._seconds, seconds)
        if not rates:
            self._reference.set(size, length, rate)
            self._tries.append(1.0)
        else:
            relative = self._reference.compare(size, length, rate)
            self._reference.is_used = True
            self._tries += [] if relative is None else [relative]
        if not self._is_clear():
            return False
        self._conclude(size, has_room=has_room)
        return True

    def _evidence(self) -> float:
        if not self.known.rates:
            return 1.0
        wanted = self._bar or MARGIN * self.known.rates[self.known.tokens]
        logs = (math.log(rate / wanted) for rate in self._tries)
        return sum(min(max(log, -_MOST_EVIDENCE), _MOST_EVIDENCE) for log in logs)

    def _is_clear(self) -> bool:
        """Tell whether enough batches ran to say if the size on trial is better."""
        if len(self._tries) < _MIN_TRIES:
            return False
        is_long = len(self._tries) == _MAX_TRIES or self._seconds > MAX_SECONDS
        return is_long or abs(self._evidence()) >= _ENOUGH_EVIDENCE

    def _conclude(self, size: int, *, has_room: bool) -> None:
        """Go on to the next size, or end at the best one."""
        is_better = self._evidence() > 0
        rate = typical(self._tries)
        best_rate = self.known.rates.get(self.known.tokens, 0.0)
        self.known = replace(
            self.known,
            tokens=size if is_better else self.known.tokens,
            rates={**self.known.rates, size: rate},
        )
        if is_better:
            self._num_misses = 0
        else:
            self._num_misses += 1 if rate >= WORSE * best_rate else 2
        if not self._is_growing:
            self._shrink(go_on=is_better)
        elif self._num_misses >= MAX_MISSES or self._seconds > MAX_SECONDS or not has_room:
            self._shrink(go_on=True)
        elif 2 * size > self._largest:
            # What ends at a limit is not over for a process that has another one.
            self._settles = False
            self._shrink(go_on=True)
        else:
            self._begin(2 * size)

    def _shrink(self, *, go_on: bool) -> None:
        """Try the next smaller size, or end the search."""
        if self._is_growing:
            self._is_growing = False
            self._bar = max(self.known.rates.values()) / MARGIN
        if go_on and self.known.tokens // 2 >= self._smallest:
            self._begin(self.known.tokens // 2)
        else:
            self.is_over = True
            self.known = replace(self.known, settled=self._settles)
