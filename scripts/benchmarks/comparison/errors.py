"""What can go wrong in a comparison."""

from __future__ import annotations


class ComparisonError(Exception):
    """Nothing can be compared: the message says what to do."""


class BenchmarkFailed(Exception):
    """One benchmark failed in one checkout; the others can still be compared."""
