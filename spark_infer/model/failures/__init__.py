"""Batches that fail: which rows are at fault, and what that costs."""

from __future__ import annotations

from spark_infer.model.failures.cost import RerunCost
from spark_infer.model.failures.failure import Failure
from spark_infer.model.failures.isolation import Isolation

__all__ = ["Failure", "Isolation", "RerunCost"]
