"""Scored rows, kept in Spark's own storage until all is known about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from py4j.protocol import Py4JError
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import TooManyRejects, WarehouseError
from spark_infer.warehouse.config import LINEAGE_COLUMNS
from spark_infer.warehouse.keys import Keys, fingerprint

_MAX_REASONS = 3


@dataclass(frozen=True)
class Scored:
    """Rows that were scored, and not yet published.

    Attributes:
        df: The rows, which the model does not run for again.
        rows: How many there are.
        rejected: Rows among them that got no prediction.
    """

    df: DataFrame
    rows: int
    rejected: int

    def check_rejects(self, max_share: float) -> None:
        """Stop where too many rows got no prediction, for whatever reasons.

        Args:
            max_share: The largest share of the rows that may, rounded up to a whole row.

        Raises:
            TooManyRejects: There are more; the message tells the most frequent reasons.
        """
        if self.rejected <= math.ceil(max_share * self.rows):
            return
        reason = F.col(REASON_COLUMN)
        found = self.df.where(reason.isNotNull()).groupBy(reason.alias("reason")).count()
        top = found.orderBy(F.desc("count"), "reason").take(_MAX_REASONS)
        reasons = "; ".join(f"{row['count']:,} x {row['reason']}" for row in top)
        raise TooManyRejects(
            f"{self.rejected:,} of {self.rows:,} rows got no prediction, and at most "
            f"{max_share:.2%} may ({reasons}); nothing was written: mend the rows, leave them out "
            "with source.filter, or raise batch.max_rejected_share"
        )


@contextmanager
def scored_rows(
    df: DataFrame, keys: Keys, key: Sequence[str], partition_by: Sequence[str]
) -> Iterator[Scored]:
    """Score all rows onto the executors' disks, and count them.

    Raises:
        WarehouseError: They are not the rows whose keys were checked.
    """
    # On disk: the memory is the model's. Rows of an executor that is lost are scored again; if
    # their source has changed by then, the target finds a differing number of rows.
    kept = df.persist(StorageLevel.DISK_ONLY)
    try:
        found = kept.agg(
            F.count(F.lit(1)).alias("rows"),
            F.count(F.col(REASON_COLUMN)).alias("rejected"),
            fingerprint([*key, *partition_by]).alias("hash"),
        ).first()
        assert found is not None
        if (found["rows"], found["hash"]) != (keys.rows, keys.fingerprint):
            raise WarehouseError(
                f"the source changed while it was read: {keys.rows:,} rows when their keys were "
                f"checked, {found['rows']:,} rows or other keys when they were scored; nothing was "
                "written, run again (if that does not help, the key, filter or features compute "
                "other values each time, as rand and uuid do)",
                transient=True,
            )
        yield Scored(kept, found["rows"], found["rejected"])
    finally:
        with suppress(Py4JError):  # A JVM that is gone keeps nothing, and has said so.
            kept.unpersist()


def lineage(df: DataFrame, *, name: str, digest: str, run_id: str) -> DataFrame:
    """Add the columns that say by what and when each row was scored."""
    columns = (F.lit(name), F.lit(digest), F.lit(run_id), F.current_timestamp())
    # Not withColumns, which puts them in the place of columns whose names are much like theirs.
    added = zip(columns, LINEAGE_COLUMNS, strict=True)
    return df.select("*", *(column.alias(column_name) for column, column_name in added))
