"""Rows without a prediction: how many a run may have."""

from __future__ import annotations

import math

from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import TooManyRejects
from spark_infer.warehouse.rows.staged import Staged

_MAX_REASONS = 3


def check_rejects(staged: Staged, max_share: float) -> None:
    """Stop where too many rows got no prediction, for whatever reasons.

    Args:
        staged: The rows.
        max_share: The largest share of them that may, rounded up to a whole row.

    Raises:
        TooManyRejects: There are more; the message tells the most frequent reasons.
    """
    if staged.rejected <= math.ceil(max_share * staged.rows):
        return
    reason = F.col(REASON_COLUMN)
    found = staged.df.where(reason.isNotNull()).groupBy(reason.alias("reason")).count()
    top = found.orderBy(F.desc("count"), "reason").take(_MAX_REASONS)
    reasons = "; ".join(f"{row['count']:,} x {row['reason']}" for row in top)
    raise TooManyRejects(
        f"{staged.rejected:,} of {staged.rows:,} rows got no prediction, and at most "
        f"{max_share:.2%} may ({reasons}); nothing was written: mend the rows, leave them out "
        "with source.filter, or raise batch.max_rejected_share"
    )
