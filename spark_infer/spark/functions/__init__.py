"""Column functions: a model in DataFrames and in SQL."""

from __future__ import annotations

from spark_infer.spark.functions.task import prediction_udf, resolve_kind
from spark_infer.spark.functions.udf import PredictFunction, predict_udf, register

__all__ = ["PredictFunction", "predict_udf", "prediction_udf", "register", "resolve_kind"]
