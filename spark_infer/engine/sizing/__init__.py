"""Batch sizes that are learned from how fast batches ran."""

from __future__ import annotations

from spark_infer.engine.sizing.search import Efficiency
from spark_infer.engine.sizing.sizer import BatchSizer, LearnedSize

__all__ = ["BatchSizer", "Efficiency", "LearnedSize"]
