"""Rows that stand in a window more than once, and whether looking for them pays."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.intp]

FIRST_WINDOWS = 2
"""Windows that automatic mode always hashes: the second shows repeats across windows."""
CHEAP_WINDOWS = 8
"""Windows that it hashes where that takes next to nothing of the model's time. Windows that are
read ahead find nothing in the cache yet of those that still run."""
CHEAP_SHARE = 0.01
"""What next to nothing is."""
PROBE_EVERY = 64
"""Where hashing does not pay, every which window is hashed to look again."""
MARGIN = 2.0
"""How many times their cost the repeats must save."""
_KEPT = 0.5
"""Share of earlier windows' seconds that still counts at the next one."""


def first_of_each(hashes: npt.NDArray[np.uint64]) -> tuple[Positions, Positions]:
    """Find the distinct rows among hashes of shape (rows, 2).

    Returns:
        Positions of the first occurrence of each distinct row, ascending, and for each row the
        index of its first occurrence among those: ``hashes[firsts][inverse]`` is ``hashes``.
    """
    num_rows = len(hashes)
    if num_rows == 0:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    order, new = _sorted(hashes)
    if new.all():
        return np.arange(num_rows), np.arange(num_rows)
    # The sort keeps no order among equal rows, so the first one is the least position.
    group_firsts = np.minimum.reduceat(order, np.flatnonzero(new))
    is_first = np.zeros(num_rows, np.bool_)
    is_first[group_firsts] = True
    rank = np.cumsum(is_first) - 1
    inverse = np.empty(num_rows, np.intp)
    inverse[order] = rank[group_firsts][np.cumsum(new) - 1]
    return np.flatnonzero(is_first), inverse


def _sorted(hashes: npt.NDArray[np.uint64]) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """Return an order in which equal rows adjoin, and where in it another row begins."""
    high, low = np.ascontiguousarray(hashes.T)
    order = np.argsort(high)
    other_high, other_low = (_changes(half[order]) for half in (high, low))
    if not (other_low & ~other_high).any():
        return order, other_high
    # Different rows share a half, which hardly ever happens: sort by both.
    order = np.lexsort((low, high))
    return order, _changes(high[order]) | _changes(low[order])


def _changes(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    changes = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


class RepeatRule:
    """Decides window by window whether rows are hashed to find repeats.

    In automatic mode the first windows are hashed, a few more where the model is slow. From then
    on it stays on while the repeats would have cost the model more than ``MARGIN`` times the
    seconds spent to find them, of recent windows more than of old ones. Once off, it looks at
    every ``PROBE_EVERY``-th window and goes on when that one alone paid.

    It reads no clock: it follows from what it was told.

    Args:
        mode: Always (True), never (False) or by what it saw (``"auto"``).
    """

    def __init__(self, mode: bool | Literal["auto"]) -> None:
        self._mode = mode
        self._on = mode is not False
        self._num_seen = 0
        self._skipped = 0
        self._row_seconds: float | None = None
        self._saved_seconds = 0.0
        self._spent_seconds = 0.0
        self._run_seconds = 0.0

    def wants(self) -> bool:
        """Tell whether to hash the next window. Ask once for each window."""
        if self._on or self._mode is False:
            return self._on
        self._skipped = (self._skipped + 1) % PROBE_EVERY
        return self._skipped == 0

    def saw(self, num_rows: int, num_repeats: int, hash_seconds: float, run_seconds: float) -> None:
        """Take note of a window that was hashed.

        Args:
            num_rows: Rows of the window.
            num_repeats: Rows that the model was spared, by the window or by the cache.
            hash_seconds: What finding them took: hashing, comparing, looking up.
            run_seconds: What the model took for the others.
        """
        if self._mode != "auto" or num_rows == 0:
            return
        num_run = num_rows - num_repeats
        if num_run:
            self._row_seconds = run_seconds / num_run
        if self._row_seconds is None:
            return  # Nothing but repeats so far: what a row costs is not known.
        kept = _KEPT if self._on else 0.0
        self._num_seen += 1
        self._saved_seconds = self._saved_seconds * kept + num_repeats * self._row_seconds
        self._spent_seconds = self._spent_seconds * kept + hash_seconds
        self._run_seconds = self._run_seconds * kept + run_seconds
        if self._num_seen >= FIRST_WINDOWS:
            pays = self._saved_seconds > MARGIN * self._spent_seconds
            self._on = pays or (self._num_seen < CHEAP_WINDOWS and self._is_cheap())

    @property
    def keeps(self) -> bool:
        """Whether predictions of the window that it was told of last are worth keeping."""
        return self._on

    def kept(self, seconds: float) -> None:
        """Take note of the seconds that it took to put a window's predictions away."""
        self._spent_seconds += seconds

    def _is_cheap(self) -> bool:
        return self._spent_seconds <= CHEAP_SHARE * self._run_seconds
