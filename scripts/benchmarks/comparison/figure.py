"""A figure of a benchmark, measured before and after a change."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_NOISE = 1.01
"""Figures that differ by less than a hundredth are the same, however little they spread."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What one ratio was in all rounds.

    Attributes:
        benchmark: The benchmark that measures it.
        name: Its name there.
        before: Its value in each round before the change; none if it was not measured.
        after: The same after the change.
        at_most: Whether less is better.
    """

    benchmark: str
    name: str
    before: Sequence[float]
    after: Sequence[float]
    at_most: bool

    @property
    def verdict(self) -> str:
        """``same``, ``slower`` or ``faster``, or which side alone has it."""
        if not self.after:
            return "only before"
        if not self.before:
            return "only after"
        return verdict(self.before, self.after, at_most=self.at_most)

    @property
    def noise(self) -> float:
        """How far a median may move and still be called the same."""
        return noise(self.before, self.after)

    @property
    def change(self) -> float:
        """The median after to the median before."""
        return _ratio(statistics.median(self.after), statistics.median(self.before))


def verdict(before: Sequence[float], after: Sequence[float], *, at_most: bool = False) -> str:
    """Return ``slower`` or ``faster`` where medians differ by more than noise, else ``same``.

    Args:
        before: One side's values, none negative.
        after: The other's.
        at_most: Whether less is better.
    """
    factor = noise(before, after)
    old, new = statistics.median(before), statistics.median(after)
    if at_most:
        old, new = new, old
    if new * factor < old:
        return "slower"
    return "faster" if new > old * factor else "same"


def noise(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the larger of the two spreads: how far a side's own values move between rounds."""
    return max(spread(before), spread(after), LEAST_NOISE)


def spread(values: Sequence[float]) -> float:
    """Return the largest value to the least: 1 if they are all alike."""
    return _ratio(max(values), min(values))


def _ratio(one: float, other: float) -> float:
    if one == other:
        return 1.0
    return one / other if other else math.inf
