"""Tables as a job's source: those of text are read as strictly as files are, none from a cache."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.plans import items
from spark_infer.warehouse.reading.misread import Misread
from spark_infer.warehouse.reading.relations import (
    MARK,
    file_relations,
    format_of,
    option_names,
)
from spark_infer.warehouse.reading.texts import OF_TEXT, strict_options


def read_table(spark: SparkSession, name: str) -> DataFrame:
    """Open a table.

    A value of a table of CSV, JSON or XML that is not of its column's type stops the query, unless
    the table's own options say a ``mode``.

    Raises:
        WarehouseError: A view reads such a table, or it has a column of which Spark makes other
            values (see ``Misread``).
        AnalysisException: What Spark does not like.
    """
    df = spark.table(name)
    found = list(file_relations(df))
    if len(found) == 1 and "View" not in _nodes(df) and found[0].catalogTable().isDefined():
        (leaf,) = found
        options = option_names(leaf.relation())
        wanted = {**MARK}
        if format_of(leaf.relation()) in OF_TEXT and "mode" not in options:
            _check_types(leaf, name)
            strict = {**strict_options(spark), "enforceSchema": "false"}
            wanted |= {key: said for key, said in strict.items() if key.lower() not in options}
        # Spark 3 keeps the relation that it has made first, whatever the options.
        identifier = leaf.catalogTable().get().identifier()
        spark._jsparkSession.sessionState().catalog().refreshTable(identifier)
        df = spark.read.options(**wanted).table(name)
    for leaf in file_relations(df):
        form = format_of(leaf.relation())
        if form in OF_TEXT and "mode" not in option_names(leaf.relation()):
            raise WarehouseError(
                f"source.table: {name} is a view of files of {form}, where Spark takes null for a "
                "value that is not of its column's type; say in the table under it what to do "
                "(ALTER TABLE ... SET SERDEPROPERTIES ('mode' = 'FAILFAST'), or 'PERMISSIVE'), or "
                "in the options with which the files are read"
            )
    return df


def check_not_cached(df: DataFrame) -> None:
    """Prove that the rows are read, and not taken from what somebody cached earlier.

    Raises:
        WarehouseError: Spark would take them from there.
    """
    leaves = df._jdf.queryExecution().withCachedData().collectLeaves()
    if any(leaf.getClass().getSimpleName() == "InMemoryRelation" for leaf in items(leaves)):
        raise WarehouseError(
            "source: rows that it reads are cached in the Spark session as they were once (CACHE "
            "TABLE, cache()), and may be others by now; uncache them (UNCACHE TABLE, "
            "unpersist(), spark.catalog.clearCache()), or name the table under the view"
        )


def _nodes(df: DataFrame) -> list[str]:
    """Return the kinds of the nodes of a plan, down to where it has more than one branch."""
    node = df._jdf.queryExecution().analyzed()
    found = [str(node.getClass().getSimpleName())]
    while node.children().size() == 1:
        node = node.children().apply(0)
        found.append(str(node.getClass().getSimpleName()))
    return found


def _check_types(leaf: Any, name: str) -> None:
    misread = Misread(format_of(leaf.relation()))
    schema = StructType.fromJson(json.loads(leaf.relation().dataSchema().json()))
    for field in schema:
        if reason := misread.reason(field.dataType):
            raise WarehouseError(
                f"source.table: column {field.name!r} of {name} {reason}; read the files with "
                "source.path and source.schema instead, or say in the table that it may (ALTER "
                "TABLE ... SET SERDEPROPERTIES ('mode' = 'PERMISSIVE'))"
            )
