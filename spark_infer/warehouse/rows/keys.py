"""Keys identify the rows; otherwise a second run could not replace them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    IntegralType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.errors import WarehouseError
from spark_infer.spark.plans import asks_for_time, attribute_id, items, kind_of
from spark_infer.spark.wire import quoted

_HASHED = (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    IntegralType,
    StringType,
    TimestampNTZType,
    TimestampType,
)
"""Types of which two values have the same hash where they count as the same key."""
_MAX_EXAMPLES = 3
_ONE_BY_ONE = ("Project", "Filter", "SubqueryAlias", "Sort", "GlobalLimit", "LocalLimit")
"""Nodes of a plan that leave out rows or order them, and compute columns row by row."""
Partition = tuple[str | None, ...]
"""The values of a row's partition columns, as text."""


@dataclass(frozen=True)
class Keys:
    """What was found when the keys were checked.

    Attributes:
        rows: Number of rows.
        partitions: The partitions that rows stand in.
    """

    rows: int
    partitions: frozenset[Partition]


def partition_texts(partition_by: Sequence[str]) -> Column:
    """Return a row's partition values as an array of text."""
    return F.array(*(F.col(quoted(name)).cast("string") for name in partition_by)).cast(
        "array<string>"
    )


def partitions_of(rows: DataFrame, partition_by: Sequence[str]) -> set[Partition]:
    """Return the partitions that rows stand in."""
    found = rows.select(partition_texts(partition_by)).distinct().collect()
    return {tuple(row[0]) for row in found}


def check_keys(df: DataFrame, key: Sequence[str], partition_by: Sequence[str] = ()) -> Keys:
    """Count the rows, and prove that the key identifies each.

    Args:
        df: The rows.
        key: Columns that identify a row.
        partition_by: Partition columns of the target.

    Raises:
        WarehouseError: A key is null or stands in several rows, and the message shows some.
    """
    # Their places tell the columns apart: a key may have any name.
    places = [str(place) for place in range(len(key))]
    named = [F.col(quoted(name)).alias(place) for name, place in zip(key, places, strict=True)]
    is_null = reduce(or_, (F.col(place).isNull() for place in places))
    if (known := _if_hashes_tell(df, df.select(*named), is_null, partition_by)) is not None:
        return known
    keys = df.select(*named, partition_texts(partition_by).alias("partition"))
    groups = keys.groupBy(*places).agg(
        F.count(F.lit(1)).alias("rows"),
        F.first("partition").alias("partition"),
    )
    found = groups.agg(
        F.coalesce(F.sum("rows"), F.lit(0)).alias("rows"),
        F.count_if(is_null).alias("nulls"),
        F.count_if(F.col("rows") > 1).alias("repeated"),
        F.collect_set("partition").alias("partitions"),
    ).first()
    assert found is not None
    if found["nulls"] or found["repeated"]:
        # A query of its own: all bad keys together may be as large as the table.
        # As text: a timestamp that is collected would be shown in the zone of this machine.
        texts = [F.col(place).cast("string").alias(place) for place in places]
        bad = groups.where(is_null | (F.col("rows") > 1)).select(*texts, "rows")
        examples = "; ".join(_describe(row, key) for row in bad.take(_MAX_EXAMPLES))
        raise WarehouseError(
            f"key {list(key)} does not identify the rows: {found['repeated']} value(s) stand in "
            f"several rows, {found['nulls']} hold a null ({examples}); name further key columns, "
            "or remove the rows with source.filter"
        )
    return Keys(int(found["rows"]), frozenset(map(tuple, found["partitions"])))


def _if_hashes_tell(
    df: DataFrame, keys: DataFrame, is_null: Column, partition_by: Sequence[str]
) -> Keys | None:
    """Return what is known of keys with hashes of their own; None where some have the same one.

    Different hashes are of different keys, and take half of the time to group. The same one may
    come of two keys.
    """
    types = [field.dataType for field in keys.schema.fields]
    if not all(isinstance(kind, _HASHED) for kind in types):
        return None
    if any(" collate " in kind.simpleString() for kind in types):
        return None  # Texts that count as the same may have other bytes.
    hashes = keys.groupBy(F.xxhash64(*keys.columns).alias("hash")).agg(
        F.count(F.lit(1)).alias("rows"), F.sum(F.when(is_null, 1).otherwise(0)).alias("nulls")
    )
    counts = (F.sum("rows"), F.sum("nulls"), F.sum(F.when(F.col("rows") > 1, 1).otherwise(0)))
    rows, nulls, repeated = hashes.agg(*counts).first() or (0, 0, 0)
    if repeated or nulls:
        return None
    if not rows or not partition_by:
        return Keys(int(rows or 0), frozenset([()] if rows else []))
    # By a query of its own: texts beside the hashes take longer than that.
    texts = F.collect_set(partition_texts(partition_by))
    (partitions,) = df.agg(texts).first() or ([],)
    return Keys(int(rows), frozenset(map(tuple, partitions)))


def check_repeatable(df: DataFrame, key: Sequence[str]) -> None:
    """Prove that the keys are not drawn, numbered or the like: those of a second run differ.

    Raises:
        WarehouseError: Every run would compute other keys.
    """
    execution: Any = df.select(*map(quoted, key))._jdf.queryExecution()
    plan = execution.optimizedPlan()
    for expression in _computing(plan):
        if not expression.deterministic():
            raise _drawn(expression, key)
    # Groups, joins and the like make keys of whatever is below them.
    for node in _nodes(_source_of(plan)):
        for expression in items(node.expressions()):
            if not expression.deterministic():
                raise _drawn(expression, key)
    # The optimizer puts the time in the place of these.
    for expression in _computing(execution.analyzed()):
        if asks_for_time(df.sparkSession, expression):
            raise _drawn(expression, key)


def _computing(plan: Any) -> Iterator[Any]:
    """Yield the expressions that compute the columns of a plan row by row."""
    wanted = set(map(attribute_id, items(plan.output())))
    while (kind := kind_of(plan)) in _ONE_BY_ONE:
        # Other columns, and conditions, may draw: that is the user's choice.
        for column in items(plan.projectList()) if kind == "Project" else ():
            if attribute_id(column) in wanted:
                yield column
                wanted |= set(map(attribute_id, items(column.references().toSeq())))
        plan = plan.child()


def _source_of(plan: Any) -> Any:
    while kind_of(plan) in _ONE_BY_ONE:
        plan = plan.child()
    return plan


def _nodes(plan: Any) -> Iterator[Any]:
    pending = [plan]
    while pending:
        node = pending.pop()
        yield node
        pending += items(node.children())


def _drawn(expression: Any, key: Sequence[str]) -> WarehouseError:
    return WarehouseError(
        f"key {list(key)} is computed by {expression.sql()}, or from rows that depend on it, "
        "which gives other values in every run, so that no row could be found again; name "
        "columns of the source, or write the rows to a table first and give that"
    )


def _describe(example: Row, key: Sequence[str]) -> str:
    *values, num_rows = example
    pairs = zip(key, values, strict=True)
    return f"{', '.join(f'{name}={value}' for name, value in pairs)}: {num_rows} row(s)"
