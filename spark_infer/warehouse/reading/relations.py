"""The files that Spark reads for a source, as its plan has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.sql import DataFrame

from spark_infer.spark.plans import items
from spark_infer.spark.stored.scans import check_reader

MARK = {"spark_infer": "job"}
"""A reader's option that tells a job's reading from others, whose cached rows are not its own."""


def file_relations(df: DataFrame) -> Iterator[Any]:
    """Yield the leaves of a DataFrame's plan that are relations of files, in the JVM.

    Raises:
        WarehouseError: Files are read in a way that is not looked at.
    """
    for leaf in items(df._jdf.queryExecution().analyzed().collectLeaves()):
        if leaf.getClass().getSimpleName() == "DataSourceV2Relation":
            check_reader(leaf.table())
        is_relation = leaf.getClass().getSimpleName() == "LogicalRelation"
        if is_relation and leaf.relation().getClass().getSimpleName() == "HadoopFsRelation":
            yield leaf


def format_of(relation: Any) -> str:
    """Return the short name of a relation's format in lower case, such as ``csv``."""
    name = str(relation.fileFormat().getClass().getSimpleName())
    return name.removesuffix("FileFormat").lower()


def option_names(relation: Any) -> set[str]:
    """Return the names of a relation's options in lower case."""
    return {str(pair._1()).lower() for pair in items(relation.options().toSeq())}
