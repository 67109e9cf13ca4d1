"""Batch sizes that are learned from how fast batches ran."""

from __future__ import annotations

from spark_infer.model.sizing.choice import Choice, Efficiency
from spark_infer.model.sizing.learned import Ceiling, LearnedSize
from spark_infer.model.sizing.sizer import BatchSizer

__all__ = ["BatchSizer", "Ceiling", "Choice", "Efficiency", "LearnedSize"]
