"""The scoring job: source, features, predictions, target, report."""

from __future__ import annotations

from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.job import ScoringJob

__all__ = ["JobConfig", "ScoringJob"]
