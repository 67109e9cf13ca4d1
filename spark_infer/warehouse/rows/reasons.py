"""Why rows got no prediction, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.rows.pending import is_pending
from spark_infer.warehouse.rows.staged import Staged

_MAX_REASONS = 10
_MAX_CHARACTERS = 200


def reasons_of(staged: Staged, key: Sequence[str]) -> list[dict[str, Any]]:
    """Return the most frequent reasons as JSON data, each with its count and keys of two rows.

    Args:
        staged: The rows.
        key: Columns that identify a row. Other values of it are not told.
    """
    if not staged.rejected:
        return []
    reason = F.col(REASON_COLUMN)
    # Under their places: a key may have any name.
    texts = (F.col(quoted(name)).cast("string").alias(str(place)) for place, name in enumerate(key))
    rows = staged.df.where(reason.isNotNull() & ~is_pending()).select(
        reason.alias("reason"), F.struct(*texts).alias("key")
    )
    counted = rows.groupBy("reason").agg(
        F.count(F.lit(1)).alias("count"), F.min("key").alias("first"), F.max("key").alias("last")
    )
    found = counted.orderBy(F.desc("count"), "reason").take(_MAX_REASONS)
    return [
        {
            "reason": row["reason"],
            "count": row["count"],
            "examples": [
                {name: _short(text) for name, text in zip(key, example, strict=True)}
                for example in dict.fromkeys((tuple(row["first"]), tuple(row["last"])))
            ],
        }
        for row in found
    ]


def _short(text: str | None) -> str:
    """Return a text, or its beginning; a key of null ends the run, and is told until then."""
    if text is None:
        return "null"
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."
