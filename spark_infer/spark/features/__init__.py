"""Features: derived columns by SQL expressions, checked as Spark reads them."""

from __future__ import annotations

from spark_infer.spark.features.columns import with_bundle_features, with_features
from spark_infer.spark.features.expressions import check_expressions, check_names
from spark_infer.spark.features.featured import Featured
from spark_infer.spark.features.source_types import checked_sql

__all__ = [
    "Featured",
    "check_expressions",
    "check_names",
    "checked_sql",
    "with_bundle_features",
    "with_features",
]
