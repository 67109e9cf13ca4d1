"""A moment after which a model is asked for nothing more."""

from __future__ import annotations

import time

PENDING = "deadline: not predicted in time"
"""The reason of rows that it was not asked for. They are not rejected: others may ask later."""


def now() -> float:
    """Return the time of this machine, in seconds since 1970 (UTC)."""
    return time.time()


def is_over(until: float | None) -> bool:
    """Return whether a moment has come; None never does."""
    return until is not None and now() >= until
