"""Distances between two distributions of the same column."""

from __future__ import annotations

import math

import numpy as np

from spark_infer.bundle.profile.distribution import Distribution, Values
from spark_infer.errors import SignatureError

_FLOOR = 1e-4
"""The least share that ``psi`` sees in a bin: the logarithm of an empty one is infinite."""
_PSI_BINS = 10


def psi(reference: Distribution, current: Distribution, *, by_label: bool = False) -> float | None:
    """Return the population stability index; None where either has no rows.

    ``sum((c - r) * ln(c / r))`` over bins, ``r`` and ``c`` being the shares of rows in a bin
    (N. Siddiqi, *Credit Risk Scorecards*, Wiley 2006, chapter 9, where below 0.1 means little
    change and above 0.25 a large one; the symmetric divergence of Jeffreys). The bins hold a tenth
    of the reference's values each, as far as values differ; values below its smallest one, above
    its largest one, and rows without a finite value are one bin each. A share counts as 0.0001 at
    least. Where both are drawn from one distribution, it is on average ``(bins - 1) * (1 / rows +
    1 / reference rows)`` (B. Yurdakul, *Statistical Properties of Population Stability Index*,
    Western Michigan University 2018): it means little for a few hundred rows.

    Args:
        reference: What it was.
        current: What it is, with the same cut points.
        by_label: Whether each bin is a label, and none are put together.
    """
    before, now = _values(reference, current)
    if not reference.rows or not current.rows:
        return None
    groups = [slice(i, i + 1) for i in range(len(before))] if by_label else _groups(before)
    shares = []
    for side, counts in ((reference, before), (current, now)):
        missing = side.nulls + side.not_finite
        binned = np.array([*(counts[group].sum() for group in groups), missing], np.float64)
        shares.append(np.maximum(binned / side.rows, _FLOOR))
    was, is_ = shares
    return float(np.sum((is_ - was) * np.log(is_ / was)))


def ks(reference: Distribution, current: Distribution) -> float | None:
    """Return the Kolmogorov-Smirnov distance; None where either has no finite value.

    The largest difference between the two cumulative shares (N. Smirnov, *Table for estimating the
    goodness of fit of empirical distributions*, Annals of Mathematical Statistics 19, 1948), looked
    for at the cut points only: the largest one anywhere is greater by at most the share of values
    in one bin, a fiftieth of the reference's unless one value is more frequent.
    """
    before, now = _values(reference, current)
    if not reference.num_values or not current.num_values:
        return None
    shares = (np.cumsum(counts) / counts.sum() for counts in (before, now))
    was, is_ = shares
    return float(np.max(np.abs(was - is_)))


def _values(reference: Distribution, current: Distribution) -> tuple[Values, Values]:
    if reference.cuts != current.cuts:
        raise SignatureError("two distributions with other cut points cannot be compared")
    return np.array(reference.counts, np.float64), np.array(current.counts, np.float64)


def _groups(counts: Values) -> list[slice]:
    """Return runs of bins that hold a tenth of the values each; the outermost stay alone."""
    if len(counts) < 3:
        return [slice(i, i + 1) for i in range(len(counts))]
    share = math.ceil(counts.sum() / _PSI_BINS)
    groups = [slice(0, 1)]
    start, held = 1, 0.0
    for at in range(1, len(counts) - 1):
        held += counts[at]
        if held >= share:
            groups.append(slice(start, at + 1))
            start, held = at + 1, 0.0
    last = len(counts) - 1
    if start < last and len(groups) > 1:
        groups[-1] = slice(groups[-1].start, last)
    elif start < last:
        groups.append(slice(start, last))
    return [*groups, slice(last, last + 1)]
