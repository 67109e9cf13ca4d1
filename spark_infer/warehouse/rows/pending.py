"""Rows for which there was no time: not rejected, and left to the next run."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.model.deadline import PENDING
from spark_infer.warehouse.rows.staged import Staged


def is_pending() -> Column:
    """Return whether a row is one; never null."""
    return F.coalesce(F.col(REASON_COLUMN) == PENDING, F.lit(False))


def told_apart(staged: Staged) -> Staged:
    """Return what is staged, with pending rows counted as such, and not as rejected ones."""
    has_reason = F.col(REASON_COLUMN).isNotNull()
    counts = (F.count_if(is_pending()), F.count_if(has_reason & ~is_pending()))
    pending, rejected = staged.df.agg(*counts).first() or (0, 0)
    return replace(staged, pending=int(pending), rejected=int(rejected))
