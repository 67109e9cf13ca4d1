"""Ranges of keys that only grow: where no two overlap, no key comes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

_MAX_RUNS = 1_000
"""Of a task. Keys in no order make as many as there are keys, and tell nothing."""


class Runs:
    """The ranges of the keys that a task has seen, in the order in which they came.

    Attributes:
        bounds: First and last key of each range; None where there are too many, or a key is null.
    """

    def __init__(self) -> None:
        self.bounds: list[int] | None = []

    def add(self, keys: pa.Array) -> None:
        """Go on with more keys: whole numbers, days or points in time."""
        if self.bounds is None or not len(keys):
            return
        if keys.null_count:
            self.bounds = None
            return
        if pat.is_date32(keys.type):
            keys = keys.cast(pa.int32())
        values = keys.cast(pa.int64()).to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(values[1:] <= values[:-1]) + 1
        if len(starts) > _MAX_RUNS:
            self.bounds = None
            return
        firsts = [int(values[0]), *values[starts].tolist()]
        lasts = [*values[starts - 1].tolist(), int(values[-1])]
        for first, last in zip(firsts, lasts, strict=True):
            self.bounds += (first, last)
        # Not where the keys only go on: between may be those of a part of a file that another
        # task reads.
        self._join(lambda before, after: after == before + 1)
        if len(self.bounds) > 2 * _MAX_RUNS:
            self._join(lambda before, after: before < after)
        if len(self.bounds) > 2 * _MAX_RUNS:
            self.bounds = None

    def _join(self, goes_on: Callable[[int, int], bool]) -> None:
        """Make one range of two where the second goes on where the first ends."""
        assert self.bounds is not None
        joined: list[int] = []
        for first, last in zip(self.bounds[::2], self.bounds[1::2], strict=True):
            if joined and goes_on(joined[-1], first):
                joined[-1] = last
            else:
                joined += (first, last)
        self.bounds = joined


def are_apart(found: Iterable[Sequence[int] | None]) -> bool:
    """Return whether the ranges of all tasks are known, and no two overlap."""
    ranges: list[tuple[int, int]] = []
    for bounds in found:
        if bounds is None:
            return False
        ranges += zip(bounds[::2], bounds[1::2], strict=True)
    ranges.sort()
    return all(one[1] < other[0] for one, other in pairwise(ranges))
