"""The page of a run: its report for a person, as one file of HTML that needs nothing else."""

from __future__ import annotations

from spark_infer.report.page.page import page

__all__ = ["page"]
