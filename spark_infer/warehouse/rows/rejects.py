"""Rows without a prediction: how many a run may have."""

from __future__ import annotations

import math

from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import TooManyRejects
from spark_infer.warehouse.rows.pending import is_pending
from spark_infer.warehouse.rows.staged import Staged

_MAX_REASONS = 3


def check_rejects(staged: Staged, max_share: float, max_rows: int | None = None) -> None:
    """Stop where too many rows got no prediction, for whatever reasons.

    Rows that got none before, of the same values and by the same bundle, are looked at neither as
    rejected nor as scored: among the few rows of an incremental run they would be many each night.

    Args:
        staged: The rows.
        max_share: The largest share of those that were scored that may, rounded up to a whole row.
        max_rows: The largest number of rows that may; None where there is no such limit.

    Raises:
        TooManyRejects: There are more; the message tells the most frequent reasons.
    """
    rejected, scored = staged.rejected - staged.again, staged.scored - staged.again
    most = math.ceil(max_share * scored)
    limit, setting = f"{max_share:.2%}", "batch.max_rejected_share"
    if max_rows is not None and max_rows < most:
        most, limit, setting = max_rows, f"{max_rows:,}", "quarantine.max_rows"
    if rejected <= most:
        return
    reason = F.col(REASON_COLUMN)
    found = (
        staged.df.where(reason.isNotNull() & ~is_pending()).groupBy(reason.alias("reason")).count()
    )
    top = found.orderBy(F.desc("count"), "reason").take(_MAX_REASONS)
    reasons = "; ".join(f"{row['count']:,} x {row['reason']}" for row in top)
    beside = f" (beside {staged.again:,} that had none before)" if staged.again else ""
    raise TooManyRejects(
        f"{rejected:,} of {scored:,} rows got no prediction{beside}, and at most {limit} may "
        f"({reasons}); nothing was written: mend the rows, leave them out "
        f"with source.filter, or raise {setting}"
    )
