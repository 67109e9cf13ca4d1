"""The predictor: record batch in, record batch out. No torch, no pyspark."""

from __future__ import annotations

from spark_infer.engine.metrics import Metrics
from spark_infer.engine.options import BatchOptions
from spark_infer.engine.predictor import Predictor

__all__ = ["BatchOptions", "Metrics", "Predictor"]
