"""Distributions of a column as a page shows them: shares between points that are easy to read."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from spark_infer.report.page.numbers import value

_NUM_BARS = 32
_FEW = 12
"""Most bins that are told one by one."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Shares of a column's values, now and in the reference.

    Attributes:
        now: Share of this run's values in each bin.
        before: That of the reference's; None without one.
        texts: What each bin holds, where there are few; else empty.
        low: Where the first bin begins, in words; ``""`` where ``texts`` tell.
        high: Where the last one ends.
    """

    now: Sequence[float]
    before: Sequence[float] | None
    texts: Sequence[str] = ()
    low: str = ""
    high: str = ""


def shown(column: Mapping[str, Any]) -> Shown:
    """Return what to show of a column.

    The counted bins hold equally many values of the reference each, and are of very different
    widths. Those shown have one width: values of a counted bin count as spread evenly over it, and
    what lies far outside counts to the first or the last.

    Args:
        column: One of the report's ``drift``.
    """
    now, reference, labels = column["now"], column["reference"], column["labels"]
    sides = [now] if reference is None else [now, reference]
    texts = list(labels) or _texts(now["cuts"])
    bins: Sequence[int] = range(len(now["counts"]))
    edges = None if labels or len(now["cuts"]) <= _FEW else _edges(sides)
    if edges is None:
        if not labels:
            bins = [at for at in bins if any(side["counts"][at] for side in sides)]
        shares = [[_share(side["counts"][at], side) for at in bins] for side in sides]
        return Shown(now=shares[0], before=_second(shares), texts=[texts[at] for at in bins])
    shares = [_spread(side, edges) for side in sides]
    least, most = _ends(sides)
    return Shown(
        now=shares[0],
        before=_second(shares),
        low=("≤ " if least < edges[0] else "") + _rounded(edges[0], edges),
        high=("≥ " if most > edges[-1] else "") + _rounded(edges[-1], edges),
    )


def _rounded(point: float, edges: Sequence[float]) -> str:
    """Return a point to a thousandth of the width of all bars."""
    return value(round(point, 3 - math.floor(math.log10(edges[-1] - edges[0]))))


def _second(shares: Sequence[Sequence[float]]) -> Sequence[float] | None:
    return shares[1] if len(shares) > 1 else None


def _texts(cuts: Sequence[float]) -> list[str]:
    last = [f"above {value(cuts[-1])}"] if cuts else ["all"]
    return [*(f"up to {value(cut)}" for cut in cuts), *last]


def _edges(sides: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """Return the ends of the bars; None where all values are equal."""
    known = [side for side in sides if sum(side["counts"])]
    if not known:
        return None
    low = min(_quantile(side, 0.01) for side in known)
    high = max(_quantile(side, 0.99) for side in known)
    least, most = _ends(known)
    if most - least <= 1.5 * (high - low):
        low, high = least, most
    if not low < high or high - low == float("inf"):
        return None
    return [low + (high - low) * at / _NUM_BARS for at in range(_NUM_BARS + 1)]


def _ends(sides: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    known = [side for side in sides if side["minimum"] is not None]
    return min(side["minimum"] for side in known), max(side["maximum"] for side in known)


def _spread(side: Mapping[str, Any], edges: Sequence[float]) -> list[float]:
    below = [0.0, *(_below(side, edge) for edge in edges[1:-1]), float(sum(side["counts"]))]
    return [_share(after - before, side) for before, after in pairwise(below)]


def _share(found: float, side: Mapping[str, Any]) -> float:
    total = sum(side["counts"])
    return found / total if total else 0.0


def _knots(side: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return points, and how many values are at most each."""
    cuts, counts = side["cuts"], side["counts"]
    points, sums = [side["minimum"]], [0.0]
    for cut, found in zip([*cuts, side["maximum"]], counts, strict=True):
        # Of bins outside of all values, the end is where the values are.
        points.append(min(max(cut, points[-1]), side["maximum"]))
        sums.append(sums[-1] + found)
    return points, sums


def _below(side: Mapping[str, Any], point: float) -> float:
    if side["minimum"] is None:
        return 0.0
    points, sums = _knots(side)
    at = bisect_right(points, point)
    if at in (0, len(points)):
        return sums[-1] if at else 0.0
    part = (point - points[at - 1]) / (points[at] - points[at - 1])
    return sums[at - 1] + (sums[at] - sums[at - 1]) * part


def _quantile(side: Mapping[str, Any], share: float) -> float:
    points, sums = _knots(side)
    wanted = share * sums[-1]
    at = next(at for at, found in enumerate(sums) if found >= wanted)
    return points[at]
