"""Parquet files beside what Spark takes them for: footers, shares of tasks, rows."""

from __future__ import annotations
