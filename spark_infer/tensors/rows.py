"""Some rows of a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]


class Rows:
    """Some rows of a window: a run of neighbors, or positions in any order.

    Attributes:
        index: What an array whose first axis is the window's rows is indexed by to take them. For
            a run that is a slice, so that a view comes of it and no copy.
    """

    __slots__ = ("index",)

    def __init__(self, index: slice | Positions) -> None:
        self.index = index

    @classmethod
    def run(cls, start: int, stop: int) -> Rows:
        """Return the rows from ``start`` up to ``stop``, which is not one of them."""
        return cls(slice(start, stop))

    def __len__(self) -> int:
        index = self.index
        return index.stop - index.start if isinstance(index, slice) else len(index)

    def __repr__(self) -> str:
        return f"Rows({self.index!r})"

    @property
    def is_run(self) -> bool:
        """Whether they are neighbors, in order."""
        return isinstance(self.index, slice)

    def begins_at(self, row: int) -> bool:
        """Tell whether they are neighbors, in order, and the first one is this row."""
        return isinstance(self.index, slice) and self.index.start == row

    @property
    def positions(self) -> Positions:
        """Their positions in the window, shape (rows,)."""
        index = self.index
        return np.arange(index.start, index.stop) if isinstance(index, slice) else index

    def take(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array's values for these rows."""
        return array[self.index]

    def part(self, start: int, stop: int) -> Rows:
        """Return those from the ``start``-th up to the ``stop``-th, which is not one of them."""
        index = self.index
        if isinstance(index, slice):
            return Rows(slice(index.start + start, index.start + stop))
        return Rows(index[start:stop])

    def halves(self) -> tuple[Rows, Rows]:
        """Return the first and the second half."""
        half = len(self) // 2
        return self.part(0, half), self.part(half, len(self))

    def only(self, which: Positions | BoolArray) -> Rows:
        """Return those at some places among them, or where a flag is set."""
        return Rows(self.positions[which])

    def ordered(self, order: Positions) -> Rows:
        """Return them in another order."""
        index = self.index
        return Rows(order + index.start if isinstance(index, slice) else index[order])
