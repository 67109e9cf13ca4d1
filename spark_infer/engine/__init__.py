"""The predictor: record batch in, record batch out. No torch, no pyspark."""

from __future__ import annotations

from spark_infer.engine.layout import Layout
from spark_infer.engine.predictor import Predictor

__all__ = ["Layout", "Predictor"]
