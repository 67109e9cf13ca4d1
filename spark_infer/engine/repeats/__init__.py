"""Equal rows, which are predicted once."""

from __future__ import annotations

from spark_infer.engine.repeats.cache import PredictionCache
from spark_infer.engine.repeats.rule import RepeatRule, first_of_each

__all__ = ["PredictionCache", "RepeatRule", "first_of_each"]
