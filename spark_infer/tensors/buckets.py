"""Rows of like length together: order, padded lengths and batches by a token budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from spark_infer.bundle import RaggedInput
from spark_infer.bundle.columns import MAX_SIZE
from spark_infer.errors import ConfigError
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.rows import Positions

L = TypeVar("L", int, Lengths)


class Budget(Protocol):
    """How many tokens a batch may hold, and whatever else is to travel with the batch."""

    @property
    def tokens(self) -> int:
        """Rows x padded length."""
        ...


B_co = TypeVar("B_co", bound=Budget, covariant=True)


class Choose(Protocol[B_co]):
    """Returns the budget of a batch that is about to be cut."""

    def __call__(
        self, length: int, num_rows: int, efficiency: Callable[[int], float] | None
    ) -> B_co:
        """Return the budget.

        Args:
            length: Padded length of the batch's first row.
            num_rows: Most rows that it can have.
            efficiency: Returns which share of the batch's tokens would not be padding, by its
                budget; None without ragged inputs.
        """
        ...


@dataclass(frozen=True)
class Cut(Generic[B_co]):
    """A batch that was cut.

    Attributes:
        start: First row.
        stop: Row after the last.
        length: Padded length.
        budget: What was chosen for it.
    """

    start: int
    stop: int
    length: int
    budget: B_co


@dataclass(frozen=True)
class PadRule:
    """Lengths that batches are padded to, so that compiled programs see few shapes.

    Attributes:
        multiple: Lengths are rounded up to a multiple of this.
        edges: Ascending lengths; one up to the last edge is rounded up to the next edge instead.
    """

    multiple: int = 1
    edges: tuple[int, ...] = ()

    def padded(self, lengths: L, item: RaggedInput) -> L:
        """Return what lengths of a ragged input are padded to: at least 1, at most ``max_length``.

        A model never meets an empty dimension, and none beyond the length it was made for. What
        the input itself asks for (``pad_to``, ``pad_multiple``) holds whatever this rule says.

        Raises:
            ConfigError: Both ask for multiples, and no tensor has as many positions as one of both.
        """
        longest = np.maximum(np.asarray(lengths, np.int64), item.pad_to or 1)
        if item.pad_to is not None:
            return int(longest) if isinstance(lengths, int) else longest
        multiple = math.lcm(self.multiple, item.pad_multiple)
        if multiple > MAX_SIZE:
            raise ConfigError(
                f"pad_multiple {self.multiple:,}: input {item.name!r} is padded to multiples of "
                f"{item.pad_multiple:,}, and one of both would be {multiple:,} long, more than "
                f"{MAX_SIZE:,}; leave it out"
            )
        padded = -(-longest // multiple) * multiple
        if self.edges:
            edges = np.asarray(self.edges, np.int64)
            edges = -(-edges // item.pad_multiple) * item.pad_multiple
            next_edge = edges[np.minimum(np.searchsorted(edges, longest), len(edges) - 1)]
            padded = np.where(longest <= edges[-1], next_edge, padded)
        if item.max_length is not None:
            padded = np.minimum(padded, np.maximum(longest, item.max_length))
        return int(padded) if isinstance(lengths, int) else padded


EXACT = PadRule()
"""Pad to the longest row and no further."""


def length_order(lengths: Sequence[Lengths]) -> Positions:
    """Return the order of rows by length, longest first; rows of equal length keep their order.

    Args:
        lengths: Length of each row in each ragged input; the sum counts.
    """
    total = np.sum(lengths, axis=0)
    rank = total.max(initial=0) - total
    # NumPy sorts 16-bit integers by radix, several times faster.
    small = rank.astype(np.uint16) if rank.max(initial=0) < 1 << 16 else rank
    return np.argsort(small, kind="stable")


def cut_batches(
    num_rows: int,
    padded: Sequence[Lengths],
    *,
    choose: Choose[B_co],
    max_rows: Callable[[], int | None] = lambda: None,
    max_tokens: int | None = None,
) -> Iterator[Cut[B_co]]:
    """Cut rows into batches: rows x padded length stays within a token budget.

    A row that is longer than the budget runs alone. Without ragged inputs the length is 1 and
    the batches are of like size.

    Args:
        num_rows: Number of rows.
        padded: Padded length of each row in each ragged input, the rows longest first. Lengths of
            several inputs add up.
        choose: Returns the budget of the next batch. It is asked when a batch is cut, so that it
            may change from one to the next.
        max_rows: Returns the most rows of a batch, None for no such limit. It is asked as often.
        max_tokens: Most tokens of a batch, whatever its budget; None for no such limit.

    Yields:
        The batches.
    """
    start = 0
    ends = np.cumsum([0, *np.sum(padded, axis=0)]) if padded else None
    while start < num_rows:
        left = num_rows - start
        limit = max_rows()
        most = left if limit is None else min(left, limit)
        length = sum(int(lengths[start]) for lengths in padded) if padded else 1
        if max_tokens is not None:
            most = min(most, max(max_tokens // length, 1))
        budget = choose(length, most, _efficiency(ends, start, most, length))
        tokens = budget.tokens if max_tokens is None else min(budget.tokens, max_tokens)
        size = min(most, max(tokens // length, 1))
        if not padded:
            # Two batches of 5,000 beat one of 8,192 and one of 1,808.
            size = -(-left // -(-left // size)) if size < left else left
        elif len(padded) > 1:
            size, length = _fit(padded, start, size, max(tokens, length))
        yield Cut(start, start + size, length, budget)
        start += size


def _efficiency(
    ends: Lengths | None, start: int, most: int, length: int
) -> Callable[[int], float] | None:
    """Return which share of a batch's tokens is not padding, by its budget.

    Args:
        ends: Tokens of the rows before each row, and of all.
        start: First row of the batch.
        most: Most rows that it may have.
        length: Length of its first row.
    """
    if ends is None:
        return None

    def efficiency(tokens: int) -> float:
        rows = min(most, max(tokens // length, 1))
        return float(ends[start + rows] - ends[start]) / (rows * length)

    return efficiency


def _fit(padded: Sequence[Lengths], start: int, most: int, tokens: int) -> tuple[int, int]:
    """Return how many rows fit when each input is as long as its longest row, and that length."""
    longest = sum(np.maximum.accumulate(lengths[start : start + most]) for lengths in padded)
    assert not isinstance(longest, int)
    fits = longest * np.arange(1, most + 1) <= tokens
    size = max(int(np.argmin(fits)) if not fits.all() else most, 1)
    return size, int(longest[size - 1])
