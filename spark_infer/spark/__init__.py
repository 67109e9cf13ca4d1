"""Spark: DataFrame functions, SQL functions, broadcast and session."""

from __future__ import annotations

from spark_infer.spark.dataframe import predict
from spark_infer.spark.driver.session import session
from spark_infer.spark.functions import predict_udf, register
from spark_infer.spark.scan import explain

__all__ = ["explain", "predict", "predict_udf", "register", "session"]
