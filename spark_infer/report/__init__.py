"""What a run did: data, JSON and text."""

from __future__ import annotations

from spark_infer.report.run import RunReport

__all__ = ["RunReport"]
