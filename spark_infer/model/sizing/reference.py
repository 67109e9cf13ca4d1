"""The batch that the next one is compared with."""

from __future__ import annotations

from collections.abc import Collection

NEAR = 1.5
"""Batches whose lengths differ by no more than this factor are compared: in a transformer a token
of a row twice as long may cost a fifth more."""


class Reference:
    """A batch that others are compared with.

    How fast a size is depends on the rows' length as much, and on what else the machine does; so a
    batch is always compared with one of another size that ran just before it, on rows of nearly
    the same length.

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


def typical(rates: Collection[float]) -> float:
    """Return the mean of the middle half: a batch that was disturbed may seem five times slower."""
    cut = max(len(rates) // 4, min((len(rates) - 1) // 2, 1))
    middle = sorted(rates)[cut : len(rates) - cut]
    return sum(middle) / len(middle)
