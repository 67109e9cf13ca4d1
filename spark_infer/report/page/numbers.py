"""Numbers as a person reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

UNKNOWN = "\N{EN DASH}"
_SHARES = ("nulls", "rejects", "share_above", "disagreement")
"""Checks of a gate whose values are shares of rows."""


def count(number: float | None) -> str:
    """Return a count with its thousands apart; a dash where it is not known."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def value(number: float | str | None) -> str:
    """Return what was measured, to four digits. Infinite ones are text in a report."""
    if number is None or isinstance(number, str):
        return number or UNKNOWN
    if isinstance(number, bool):
        return "true" if number else "not true"
    is_whole = abs(number) < 1e12 and number == int(number)
    return f"{number:,.0f}" if is_whole else f"{number:,.4g}"


def found(result: Mapping[str, Any]) -> str:
    """Return what a check of a gate has found."""
    measured = result["value"]
    is_share = result["check"] in _SHARES and isinstance(measured, float)
    return f"{100 * measured:.4g}%" if is_share else value(measured)


def distance(number: float | None) -> str:
    """Return a distance between distributions, which is not told apart below a thousandth."""
    return UNKNOWN if number is None else f"{number:,.3f}"


def percent(share: float | None) -> str:
    """Return a share; what is more than nothing never reads 0.0%, nor 100.0% what is not all."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def duration(seconds: float | None) -> str:
    """Return seconds in the units that a clock has."""
    if seconds is None:
        return UNKNOWN
    if seconds < 99.95:
        return f"{seconds:.1f} s" if seconds >= 0.95 or not seconds else f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def between(started: str, finished: str) -> float | None:
    """Return the seconds between two times of a report; None where one is none."""
    try:
        taken = dt.datetime.fromisoformat(finished) - dt.datetime.fromisoformat(started)
        return taken.total_seconds()
    except (TypeError, ValueError):
        return None


def moment(text: str) -> str:
    """Return a time of a report as one writes it, and other text as it is."""
    try:
        found = dt.datetime.fromisoformat(text).astimezone(dt.timezone.utc)
    except (ValueError, OverflowError):
        return text
    return f"{found:%Y-%m-%d %H:%M:%S} UTC"
