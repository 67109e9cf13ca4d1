"""Which rows a run is about: those of its source, and where they stand in its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame

from spark_infer.bundle import Bundle
from spark_infer.spark.features import Featured, with_features
from spark_infer.spark.names import Names
from spark_infer.warehouse.challengers import Challengers, with_all_features
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.reading.source import where
from spark_infer.warehouse.sinks import Coverage


def rows_to_score(
    config: JobConfig,
    source: DataFrame,
    bundle: Bundle,
    challengers: Challengers,
    values: Mapping[str, Any],
) -> Featured:
    """Return the rows to score, with the job's features and beside them the bundles'.

    Args:
        config: The job file.
        source: What was read.
        bundle: The job's bundle.
        challengers: Its other ones.
        values: The parameters, as ``with_session_zone`` returned them.

    Raises:
        ConfigError: A column is not there, or two have the same name.
        SignatureError: A feature does not fit the rows.
    """
    names = Names.of_session(source.sparkSession)
    outputs = [output.name for output in bundle.signature.outputs]
    config.check_columns(names, outputs, challengers.columns)
    prepared = with_features(source, config.features)
    featured = with_all_features(prepared, bundle, challengers.bundles)
    own = (("key", config.key), ("target.partition_by", config.target.partition_by))
    for place, wanted in own:
        for name in wanted:
            names.one(name, prepared.columns, where=place)
    for name in config.target.keep:
        featured.column(name, where="target.keep")
    # Not before: a window of the bundle sees all rows that were read, as one of the job does.
    rows = where(featured.df, config.rows, values, key="rows")
    return replace(featured, df=rows)


def coverage_of(config: JobConfig, rows: Featured, values: Mapping[str, Any]) -> Coverage:
    """Return which rows of the target a run is about that scores these.

    Raises:
        ConfigError: ``target.partitions`` does not fit the rows.
    """
    names = Names.of_session(rows.df.sparkSession)
    carried = [*config.key, *config.target.keep]
    coverage = Coverage(
        filter=config.source.filter,
        rows=config.rows,
        partitions=config.target.partitions,
        values=values,
        carried=[name for name in carried if names.find(name, rows.given)],
        derived=list(config.features),
        present=rows.df if config.incremental.is_on else None,
    )
    coverage.check_condition(rows.df, config.target.partition_by)
    return coverage
