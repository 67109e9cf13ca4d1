"""How many tokens a batch may hold, learned from how fast batches ran."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from spark_infer.backends.memory import Memory
from spark_infer.model.sizing.search import Efficiency, Search

_NEWS_SECONDS = 5.0
"""From one change of a rate that is told of to the next; a new size is told of at once."""

_NEAR = 4
"""Lengths within this factor are as fast with the same number of tokens."""


def bucket_of(length: int) -> int:
    """Return the length bucket: the smallest power of four that is not below ``length``."""
    bits = max(0, length - 1).bit_length()
    return 1 << bits + bits % 2


@dataclass(frozen=True)
class LearnedSize:
    """What is known of one length bucket.

    Attributes:
        tokens: The best token budget so far.
        ceiling: The largest budget that may be tried, after an out-of-memory; None before.
        rates: Tokens per second of each budget that was tried, as a multiple of the first one's;
            empty when no batch has shown any.
        settled: The search is over.
    """

    tokens: int
    ceiling: int | None
    rates: Mapping[int, float]
    settled: bool

    def under(self, ceiling: int | None) -> LearnedSize:
        """Return this below another ceiling as well: a size above it has to be found anew."""
        if ceiling is None or (self.ceiling is not None and self.ceiling <= ceiling):
            ceiling = self.ceiling
        if ceiling is None or self.tokens <= ceiling:
            rates = {size: rate for size, rate in self.rates.items() if size <= (ceiling or size)}
            return replace(self, ceiling=ceiling, rates=rates)
        return LearnedSize(ceiling, ceiling, {}, settled=False)


class BatchSizer:
    """Decides the token budget of batches, for each length bucket by itself.

    A bucket starts small, or from its neighbor's size where that is known, and settles at the
    best size (see ``Search``). Once it has settled, its neighbors follow it and need no search of
    their own. May be used by several threads.

    Args:
        learned: Where to start, by bucket: what ``learned()`` returned before.
        on_change: Called with ``learned()`` after each step, by the thread that made it.
        start_tokens: Budget of the first batches.
        max_tokens: Largest budget.
    """

    def __init__(
        self,
        *,
        learned: Mapping[int, LearnedSize] | None = None,
        on_change: Callable[[dict[int, LearnedSize]], None] | None = None,
        start_tokens: int = 256,
        max_tokens: int = 1 << 20,
    ) -> None:
        self._on_change = on_change
        self._start_tokens = start_tokens
        self._max_tokens = max_tokens
        self._next_news = 0.0
        self._lock = threading.Lock()
        self._searches: dict[int, Search] = {}
        for bucket, before in sorted((learned or {}).items()):
            self._searches[bucket] = self._resumed(before.under(self._ceiling(bucket)))

    def _resumed(self, known: LearnedSize) -> Search:
        """Return a search that goes on where another one was."""
        if not known.rates or known.tokens > self._max_tokens:
            return Search(min(known.tokens, self._max_tokens), known.ceiling)
        next_size = 2 * known.tokens
        settled = known.settled or next_size > min(self._max_tokens, known.ceiling or next_size)
        return Search(
            known.tokens if settled else next_size,
            known.ceiling,
            settled=settled,
            rates=known.rates,
            best_tokens=known.tokens,
        )

    def tokens(
        self, length: int, efficiency: Efficiency | None = None, *, look: bool = False
    ) -> int:
        """Return the budget of a batch whose longest row is padded to ``length``.

        Args:
            length: Padded length, summed over the ragged inputs.
            efficiency: Returns which share of the batch's tokens would not be padding, by its
                budget. A batch that is faster for each token, and padded more, may be slower.
            look: Whether the batch may have a size that is to be looked at again, although
                another one was faster. Its rate should be recorded then.
        """
        with self._lock:
            bucket = bucket_of(length)
            search = self._search(bucket)
            # Rates of other lengths would confuse the search that they follow.
            look = look and search is self._searches.get(bucket)
            return max(length, search.choose(efficiency or _no_padding, look=look))

    def ceiling(self, length: int) -> int:
        """Return the most tokens that fit in memory, as far as is known; at least ``length``."""
        with self._lock:
            ceiling = self._ceiling(bucket_of(length))
            return sys.maxsize if ceiling is None else max(length, ceiling)

    def record(
        self, length: int, tokens: int, rows: int, seconds: float, *, memory: Memory | None
    ) -> None:
        """Learn from a batch that ran.

        Args:
            length: Padded length of its longest row.
            tokens: Its rows times ``length``.
            rows: Its rows.
            seconds: What it cost in all.
            memory: The device's memory after it.
        """
        bucket = bucket_of(length)
        with self._lock:
            search = self._search(bucket)
            size = search.size_of(tokens, rows)
            # Rates of other lengths would confuse the search that they follow.
            if size is None or (search.settled and search is not self._searches.get(bucket)):
                return
            self._searches[bucket] = search
            is_news = search.record(size, length, tokens / max(seconds, 1e-9), seconds, memory)
            if search.settled:
                # Rates change all the time: what is kept of them need not be the newest.
                is_news = is_news and self._is_time_for_news()
            elif is_news := search.is_clear:
                largest = min(self._max_tokens, search.ceiling or self._max_tokens)
                search.conclude(self._smallest(bucket), largest, memory)
        if is_news:
            self._changed()

    def _is_time_for_news(self) -> bool:
        now = time.monotonic()
        if now < self._next_news:
            return False
        self._next_news = now + _NEWS_SECONDS
        return True

    def lower(self, length: int, tokens: int) -> None:
        """Never again run so many tokens at this length or a longer one: memory ran out."""
        bucket = bucket_of(length)
        with self._lock:
            if bucket not in self._searches:
                self._searches[bucket] = self._begin(bucket, self._ceiling(bucket))
            for other, search in self._searches.items():
                if other >= bucket:
                    search.lower(max(1, tokens // 2))
        self._changed()

    def is_trial(self, length: int, tokens: int, rows: int) -> bool:
        """Tell whether such a batch has the size that is on trial."""
        with self._lock:
            search = self._search(bucket_of(length))
            return not search.settled and search.size_of(tokens, rows) == search.size

    def is_wanted(self, length: int, tokens: int, rows: int) -> bool:
        """Tell whether such a batch has the size on trial, or one to compare it with."""
        with self._lock:
            return self._search(bucket_of(length)).wants(tokens, rows)

    def is_settled(self, length: int) -> bool:
        """Tell whether the search for this length is over."""
        with self._lock:
            return self._search(bucket_of(length)).settled

    def tokens_by_length(self) -> dict[int, int]:
        """Return the best budget so far of each bucket that has shown one."""
        return {bucket: size.tokens for bucket, size in self.learned().items() if size.rates}

    def learned(self) -> dict[int, LearnedSize]:
        """Return what is known by bucket, for a later sizer to start from."""
        with self._lock:
            return {
                bucket: LearnedSize(
                    search.best_tokens or search.size,
                    search.ceiling,
                    dict(search.rates),
                    # A later sizer may be given more room.
                    search.settled and 2 * search.best_tokens <= self._max_tokens,
                )
                for bucket, search in sorted(self._searches.items())
                if search.best_tokens or search.ceiling is not None
            }

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self.learned())

    def _search(self, bucket: int) -> Search:
        """Return the bucket's search, the settled one of a neighbor, or one that it would begin."""
        own = self._searches.get(bucket)
        if own is not None and (own.settled or own.ceiling is not None):
            return own
        ceiling = self._ceiling(bucket)
        return self._settled_neighbor(bucket, ceiling) or own or self._begin(bucket, ceiling)

    def _begin(self, bucket: int, ceiling: int | None) -> Search:
        size = self._smallest(bucket)
        known = [other for other, search in self._searches.items() if search.settled]
        if known:
            size = max(size, self._searches[_nearest(bucket, known)].best_tokens)
        size = min(size, self._max_tokens, ceiling or size)
        return Search(size, ceiling)

    def _settled_neighbor(self, bucket: int, ceiling: int | None) -> Search | None:
        near = [
            other
            for other, search in self._searches.items()
            if search.settled
            and _distance(bucket, other) <= _NEAR
            and (search.ceiling is None or other < bucket)
            and (ceiling is None or max(search.rates) <= ceiling)
        ]
        return self._searches[_nearest(bucket, near)] if near else None

    def _ceiling(self, bucket: int) -> int | None:
        """Return the lowest ceiling of the buckets up to this one."""
        found = (search.ceiling for other, search in self._searches.items() if other <= bucket)
        return min((ceiling for ceiling in found if ceiling is not None), default=None)

    def _smallest(self, bucket: int) -> int:
        """Return the smallest size worth trying: one that a row of the bucket fits in."""
        return max(self._start_tokens, bucket)


def _no_padding(tokens: int) -> float:
    return 1.0


def _distance(bucket: int, other: int) -> float:
    return max(other / bucket, bucket / other)


def _nearest(bucket: int, others: Sequence[int]) -> int:
    # Of two neighbors the longer one: its rows need more memory for each token.
    return min(others, key=lambda other: (_distance(bucket, other), -other))
