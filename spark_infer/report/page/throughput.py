"""Rows a second over the time of scoring, as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_NUM_BARS = 40
_LEAST = 5
"""Of fewer points nothing can be seen."""


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Rows a second in stretches of time of one length.

    Attributes:
        shares: Those of the fastest stretch are 1.
        fastest: Rows a second in it.
        seconds: How long all of them are.
    """

    shares: Sequence[float]
    fastest: float
    seconds: float


def throughput(points: Sequence[Mapping[str, Any]]) -> Throughput | None:
    """Return rows a second over time; None where there are too few points to tell.

    Between two points rows count as scored evenly: they are counted when their task ends.

    Args:
        points: ``seconds`` since the beginning and ``rows`` until then, ascending.
    """
    if len(points) < _LEAST:
        return None
    times = [0.0, *(float(point["seconds"]) for point in points)]
    rows = [0.0, *(float(point["rows"]) for point in points)]
    seconds = times[-1]
    if seconds <= 0 or sorted(times) != times or sorted(rows) != rows:
        return None
    edges = [seconds * at / _NUM_BARS for at in range(_NUM_BARS + 1)]
    until = [_until(edge, times, rows) for edge in edges]
    speeds = [(b - a) * _NUM_BARS / seconds for a, b in pairwise(until)]
    fastest = max(speeds)
    if not fastest:
        return None
    return Throughput(
        shares=[speed / fastest for speed in speeds], fastest=fastest, seconds=seconds
    )


def _until(moment: float, times: Sequence[float], rows: Sequence[float]) -> float:
    """Return how many rows there were at a moment."""
    for at in range(1, len(times)):
        if moment <= times[at]:
            length = times[at] - times[at - 1]
            share = (moment - times[at - 1]) / length if length else 1.0
            return rows[at - 1] + share * (rows[at] - rows[at - 1])
    return rows[-1]
