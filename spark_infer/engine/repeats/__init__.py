"""Equal rows, which are predicted once."""

from __future__ import annotations

from spark_infer.engine.repeats.cache import PredictionCache, RowOutputs
from spark_infer.engine.repeats.repeats import Distinct, Repeats
from spark_infer.engine.repeats.rule import RepeatRule

__all__ = ["Distinct", "PredictionCache", "RepeatRule", "Repeats", "RowOutputs"]
