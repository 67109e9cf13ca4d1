"""Batch sizes that are learned from how fast batches ran."""

from __future__ import annotations

from spark_infer.model.sizing.search import Efficiency
from spark_infer.model.sizing.sizer import BatchSizer, LearnedSize

__all__ = ["BatchSizer", "Efficiency", "LearnedSize"]
