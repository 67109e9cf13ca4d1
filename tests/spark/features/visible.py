"""Features of a bundle as columns that a test can look at."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from spark_infer.spark.features import with_bundle_features


def visible(df: DataFrame, features: Mapping[str, str]) -> DataFrame:
    """Return the rows with the features under their own names, instead of columns of these."""
    featured = with_bundle_features(df, features)
    rows = featured.df.drop(*(name for name in featured.given if name in features))
    return rows.withColumnsRenamed({v: k for k, v in featured.features.items()})
