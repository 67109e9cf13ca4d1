"""What a run did, or would do: data, JSON and text."""

from __future__ import annotations

from spark_infer.report.plan import JobPlan
from spark_infer.report.run import RunReport

__all__ = ["JobPlan", "RunReport"]
