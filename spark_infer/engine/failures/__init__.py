"""Batches that fail: which rows are at fault, what that costs, and when there are too many."""

from __future__ import annotations

from spark_infer.engine.failures.isolation import Failure, Isolation
from spark_infer.engine.failures.limits import FailureLimits

__all__ = ["Failure", "FailureLimits", "Isolation"]
