"""The features of several bundles beside the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame

from spark_infer.bundle import Bundle
from spark_infer.spark.challengers import about
from spark_infer.spark.features import Featured, with_bundle_features
from spark_infer.spark.features.source_types import check_source_types


def with_all_features(
    df: DataFrame, champion: Bundle, challengers: Mapping[str, Bundle]
) -> Featured:
    """Compute what a champion and its challengers read, each expression once.

    Each bundle's features are checked as if it were alone. Errors are those of
    ``with_bundle_features``, and say which challenger they are about.
    """
    found = with_bundle_features(df, champion.features, champion.manifest.source_types)
    columns = {sql: found.features[name] for name, sql in champion.features.items()}
    others: dict[str, Mapping[str, str]] = {}
    for name, bundle in challengers.items():
        with about(name):
            if bundle.features:
                check_source_types(df, bundle.manifest.source_types)
            new = {each: sql for each, sql in bundle.features.items() if sql not in columns}
            added = with_bundle_features(found.df, new, bundle.manifest.source_types)
        columns |= {sql: added.features[each] for each, sql in new.items()}
        others[name] = {each: columns[sql] for each, sql in bundle.features.items()}
        found = replace(found, df=added.df)
    return replace(found, others=others)
