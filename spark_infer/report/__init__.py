"""What a run did, or would do: data, JSON and text."""

from __future__ import annotations

from spark_infer.report.plan import JobPlan
from spark_infer.report.run import RunReport
from spark_infer.report.schema import report_schema

__all__ = ["JobPlan", "RunReport", "report_schema"]
