"""How many tokens a batch may hold, learned from how fast batches ran."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from spark_infer.backends.failures.memory import Memory
from spark_infer.model.sizing.choice import Choice, Efficiency, shows
from spark_infer.model.sizing.growing import Growing
from spark_infer.model.sizing.learned import Ceiling, LearnedSize
from spark_infer.model.sizing.settled import Settled

Keep = Callable[[Mapping[int, LearnedSize]], None]

_KEEP_SECONDS = 5.0
"""From one time that what was learned is kept to the next."""

MEMORY_SHARE = 0.8
"""A search goes no further where the next size would take more than this share of the memory."""

_NEAR = 4
"""Lengths within this factor are as fast with the same number of tokens."""


def bucket_of(length: int) -> int:
    """Return the length bucket: the smallest power of four that is not below ``length``."""
    bits = max(0, length - 1).bit_length()
    return 1 << bits + bits % 2


class BatchSizer:
    """Decides the token budget of batches, for each length bucket by itself.

    A bucket starts small, or from its neighbor's size where that is known, and settles at the
    best size (see ``Growing``). Once it has settled, its neighbors follow it and need no search of
    their own. May be used by several threads.

    Args:
        learned: Where to start, by bucket: what ``learned()`` returned before.
        on_keep: Keeps what ``learned()`` returns; called by ``keep()``.
        start_tokens: Budget of the first batches.
        max_tokens: Largest budget.
        clock: Returns the seconds since 1970.
    """

    def __init__(
        self,
        *,
        learned: Mapping[int, LearnedSize] | None = None,
        on_keep: Keep | None = None,
        start_tokens: int = 256,
        max_tokens: int = 1 << 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_keep = on_keep
        self._start_tokens = start_tokens
        self._max_tokens = max_tokens
        self._idle_bytes = sys.maxsize
        self._clock = clock
        self._is_changed = False
        self._kept_at = float("-inf")
        self._lock = threading.Lock()
        self._buckets: dict[int, Growing | Settled] = {}
        for bucket, known in sorted((learned or {}).items()):
            self._buckets[bucket] = self._resumed(bucket, known.under(self._ceiling(bucket)))

    def choose(
        self,
        length: int,
        efficiency: Efficiency | None = None,
        *,
        most: int = sys.maxsize,
        look: bool = False,
    ) -> Choice:
        """Return the budget of a batch whose longest row is padded to ``length``.

        Args:
            length: Padded length, summed over the ragged inputs.
            efficiency: Returns which share of the batch's tokens would not be padding, by its
                budget. A batch that is faster for each token, and padded more, may be slower.
            most: Most tokens that the batch can have, for want of rows or because of a limit.
            look: Whether the times of all batches are known, so that a batch may have a size that
                is to be looked at again although another one was faster.
        """
        bucket = bucket_of(length)
        with self._lock:
            found = self._bucket(bucket)
            # Rates of other lengths would confuse the one that they follow.
            look = look and found is self._buckets.get(bucket)
            size, purpose = found.choose(efficiency or _no_padding, max(most, length), look=look)
        return Choice(size, purpose, bucket)

    def ceiling(self, length: int) -> int:
        """Return the most tokens that fit in memory, as far as is known; at least ``length``."""
        with self._lock:
            ceiling = self._ceiling(bucket_of(length))
        return sys.maxsize if ceiling is None else max(length, ceiling.tokens)

    def record(
        self,
        choice: Choice,
        *,
        length: int,
        tokens: int,
        seconds: float,
        memory: Memory | None = None,
    ) -> None:
        """Learn from a batch that ran.

        Args:
            choice: What ``choose`` returned for it.
            length: Padded length of its longest row.
            tokens: Its rows times ``length``.
            seconds: What it cost in all.
            memory: The device's memory after it, where the choice wants that.
        """
        if not choice.wants_time or not shows(tokens, choice.tokens):
            return
        rate = tokens / max(seconds, 1e-9)
        with self._lock:
            if memory is not None:
                self._idle_bytes = min(self._idle_bytes, memory.peak_bytes)
            has_room = memory is None or self._has_room(memory)
            found = self._buckets[choice.bucket]
            if isinstance(found, Settled):
                self._is_changed |= found.record(choice.tokens, length, rate)
            elif found.record(choice.tokens, length, rate, seconds, has_room=has_room):
                self._is_changed = True
                if found.is_over:
                    self._buckets[choice.bucket] = Settled(found.known)

    def note_idle(self, memory: Memory) -> None:
        """Take note of the memory before a batch runs."""
        with self._lock:
            self._idle_bytes = min(self._idle_bytes, memory.peak_bytes)

    def _has_room(self, memory: Memory) -> bool:
        # What the largest batch took beside the model, the next size takes twice.
        added = memory.peak_bytes - self._idle_bytes
        return memory.peak_bytes + added <= MEMORY_SHARE * memory.limit_bytes

    def lower(self, length: int, tokens: int) -> None:
        """Never again run so many tokens at this length or a longer one: memory ran out."""
        bucket = bucket_of(length)
        ceiling = Ceiling(max(1, tokens // 2), self._clock())
        with self._lock:
            self._is_changed = True
            self._buckets.setdefault(bucket, self._begun(bucket, self._ceiling(bucket)))
            for other, found in list(self._buckets.items()):
                if other >= bucket:
                    self._buckets[other] = self._resumed(other, found.known.under(ceiling))

    def learned(self) -> dict[int, LearnedSize]:
        """Return what is known by bucket, for a later sizer to start from."""
        with self._lock:
            return {
                bucket: found.known
                for bucket, found in sorted(self._buckets.items())
                if found.known.rates or found.known.ceiling is not None
            }

    def keep(self, *, at_last: bool = False) -> None:
        """Have what was learned kept, if there is anything new, and not too often.

        Whoever runs batches calls this between windows: keeping may mean to wait for a disk.

        Args:
            at_last: Do not wait for a later call: there may be none.
        """
        now = self._clock()
        with self._lock:
            is_early = abs(now - self._kept_at) < _KEEP_SECONDS and not at_last
            if self._on_keep is None or not self._is_changed or is_early:
                return
            self._is_changed = False
            self._kept_at = now
        self._on_keep(self.learned())

    def _bucket(self, bucket: int) -> Growing | Settled:
        """Return what chooses for a bucket: its own search or end, or that of a neighbor."""
        own = self._buckets.get(bucket)
        if isinstance(own, Settled) or (own is not None and own.known.ceiling is not None):
            return own
        ceiling = self._ceiling(bucket)
        neighbor = self._settled_neighbor(bucket, ceiling)
        if neighbor is not None:
            return neighbor
        return own or self._buckets.setdefault(bucket, self._begun(bucket, ceiling))

    def _begun(self, bucket: int, ceiling: Ceiling | None) -> Growing:
        size = self._smallest(bucket)
        settled = self._settled()
        if settled:
            size = max(size, settled[_nearest(bucket, list(settled))].known.tokens)
        return self._growing(bucket, LearnedSize(size, ceiling, {}, settled=False), size)

    def _resumed(self, bucket: int, known: LearnedSize) -> Growing | Settled:
        """Return what goes on where another sizer was."""
        if not known.rates or known.tokens > self._max_tokens:
            return self._growing(bucket, replace(known, rates={}, settled=False), known.tokens)
        if known.settled or 2 * known.tokens > min(self._max_tokens, known.most):
            return Settled(known)
        return self._growing(bucket, known, 2 * known.tokens)

    def _growing(self, bucket: int, known: LearnedSize, size: int) -> Growing:
        largest = int(min(self._max_tokens, known.most))
        return Growing(
            known,
            min(size, largest),
            smallest=min(self._smallest(bucket), largest),
            largest=largest,
        )

    def _settled(self) -> dict[int, Settled]:
        found = self._buckets.items()
        return {bucket: item for bucket, item in found if isinstance(item, Settled)}

    def _settled_neighbor(self, bucket: int, ceiling: Ceiling | None) -> Settled | None:
        near = {
            other: found
            for other, found in self._settled().items()
            if _distance(bucket, other) <= _NEAR
            and (found.known.ceiling is None or other < bucket)
            and (ceiling is None or max(found.known.rates) <= ceiling.tokens)
        }
        return near[_nearest(bucket, list(near))] if near else None

    def _ceiling(self, bucket: int) -> Ceiling | None:
        """Return the lowest ceiling of the buckets up to this one."""
        known = (found.known for other, found in self._buckets.items() if other <= bucket)
        ceilings = [item.ceiling for item in known if item.ceiling is not None]
        return min(ceilings, key=lambda ceiling: ceiling.tokens, default=None)

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
