"""What a run did, or would do: data, JSON and text."""

from __future__ import annotations

from spark_infer.report.plan import JobPlan
from spark_infer.report.replay import Replay
from spark_infer.report.run import RunReport
from spark_infer.report.runs import RunList
from spark_infer.report.schema import report_schema

__all__ = ["JobPlan", "Replay", "RunList", "RunReport", "report_schema"]
