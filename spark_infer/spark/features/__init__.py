"""Features: derived columns by SQL expressions, checked as Spark reads them."""

from __future__ import annotations

from spark_infer.spark.features.columns import with_bundle_features, with_features
from spark_infer.spark.features.expressions import check_expressions, check_names
from spark_infer.spark.features.featured import Featured

__all__ = ["Featured", "check_expressions", "check_names", "with_bundle_features", "with_features"]
