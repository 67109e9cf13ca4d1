"""How the values of one column are distributed: counts between cut points."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_infer.bundle.documents import check_fields, shown, to_json, values_of
from spark_infer.errors import SignatureError

NUM_BINS = 50
"""Bins with equally many values, as far as values differ; ``ks`` is that fine, ``psi`` takes ten.

What stands in a run's one query over the staged rows grows with it.
"""
MAX_LABELS = 100
"""Most labels of an output whose shares are compared."""
_LIMIT = 2**63
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Counts of one column's values.

    Attributes:
        rows: All rows.
        nulls: Rows among them without a value.
        not_finite: Rows among them with NaN or an infinite value.
        minimum: The smallest finite value; None without one.
        maximum: The largest.
        mean: Their mean; None without one, and where their sum is too large.
        cuts: Ascending cut points between the bins. A value that equals one is below it. The
            first is just below the smallest value and the last is the largest one, so that later
            values outside of these have bins of their own.
        counts: Finite values in each bin, one bin more than there are cut points.
    """

    rows: int
    nulls: int
    not_finite: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    cuts: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        check_fields(self, where="distribution")
        numbers = [*self.cuts, *(n for n in self._moments if n is not None)]
        whole = [self.rows, self.nulls, self.not_finite, *self.counts]
        if any(isinstance(n, int) and not -_LIMIT <= n < _LIMIT for n in (*numbers, *whole)):
            raise SignatureError("distribution: an integer has more than 64 bits")
        if min(self.rows, self.nulls, self.not_finite, *self.counts, 0) < 0:
            raise SignatureError("distribution: a count is negative")
        if len(self.counts) != len(self.cuts) + 1 or len(self.cuts) > MAX_LABELS + NUM_BINS:
            raise SignatureError(
                f"distribution: {len(self.cuts)} cut points and {len(self.counts)} counts do not "
                "belong together"
            )
        if sum(self.counts) + self.nulls + self.not_finite != self.rows:
            raise SignatureError(f"distribution: its counts do not add up to {self.rows:,} rows")
        if not np.isfinite(numbers).all():
            raise SignatureError("distribution: a number is not finite")
        if any(a >= b for a, b in itertools.pairwise(self.cuts)):
            raise SignatureError("distribution: cut points must ascend")
        if any((n is None) != (not self.num_values) for n in self._moments[:2]):
            raise SignatureError("distribution: minimum and maximum are those of the values")

    @property
    def _moments(self) -> tuple[float | None, ...]:
        return self.minimum, self.maximum, self.mean

    @property
    def num_values(self) -> int:
        """Rows with a finite value."""
        return sum(self.counts)

    @classmethod
    def of(
        cls, values: Values, nulls: int = 0, cuts: Sequence[float] | None = None
    ) -> Distribution:
        """Count values.

        Args:
            values: The column's values, shape (rows that are not null,).
            nulls: Rows beside them that are null.
            cuts: Cut points; None takes those of ``cut_points``.
        """
        finite = values[np.isfinite(values)]
        found = np.asarray(cut_points(finite) if cuts is None else cuts, np.float64)
        counts = np.bincount(np.searchsorted(found, finite, "left"), minlength=len(found) + 1)
        is_empty = not len(finite)
        return cls(
            rows=len(values) + nulls,
            nulls=nulls,
            not_finite=len(values) - len(finite),
            minimum=None if is_empty else float(finite.min()),
            maximum=None if is_empty else float(finite.max()),
            # In two steps, as the sum of large numbers may be infinite.
            mean=None if is_empty else float((finite / len(finite)).sum()),
            cuts=tuple(found.tolist()),
            counts=tuple(counts.tolist()),
        )

    @classmethod
    def from_json(cls, data: object, *, where: str) -> Distribution:
        """Read what ``to_json`` gave.

        Raises:
            SignatureError: It is something else.
        """
        values = values_of(cls, data, where=where)
        for name in ("cuts", "counts"):
            if not isinstance(values[name], list):
                raise SignatureError(f"{where}: {name} must be a list, got {shown(values[name])}")
            values[name] = tuple(values[name])
        return cls(**values)

    def to_json(self) -> dict[str, object]:
        """Return the distribution as JSON data."""
        return to_json(self)


def cut_points(finite: Values) -> list[float]:
    """Return the cut points for some finite values, see ``Distribution``.

    They are the quantiles at 1/50, 2/50 and so on, taken from the values themselves; of those that
    are equal, because one value is frequent, one stays.
    """
    if not len(finite):
        return []
    steps = np.arange(0, NUM_BINS + 1) / NUM_BINS
    quantiles = np.quantile(finite, steps, method="inverted_cdf")
    return with_ends(np.unique(quantiles).tolist())


def with_ends(quantiles: Sequence[float]) -> list[float]:
    """Return cut points from ascending quantiles, the smallest and the largest value included."""
    values = sorted(set(quantiles))
    if not values:
        return []
    below = float(np.nextafter(values[0], -np.inf))
    start = [below] if np.isfinite(below) else []
    return [*start, *values]
