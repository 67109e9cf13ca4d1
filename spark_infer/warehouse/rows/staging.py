"""Rows that were scored, in Spark's own storage, until all is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from py4j.protocol import Py4JError
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import WarehouseError
from spark_infer.warehouse.rows.keys import Keys, fingerprint


@dataclass(frozen=True)
class Staged:
    """Rows that were scored, and not yet published.

    Attributes:
        df: The rows, which the model does not run for again.
        keys: What was found when their keys were checked.
        rows: How many there are.
        rejected: Rows among them that got no prediction.
    """

    df: DataFrame
    keys: Keys
    rows: int
    rejected: int


def stage(df: DataFrame, keys: Keys, key: Sequence[str], partition_by: Sequence[str]) -> Staged:
    """Score rows onto the executors' disks, and count them.

    Args:
        df: The rows.
        keys: What was found when their keys were checked.
        key: Columns that identify a row.
        partition_by: Partition columns of the target.

    Raises:
        WarehouseError: They are not the rows whose keys were checked.
    """
    # On disk: the memory is the model's. Rows of an executor that is lost are scored again; if
    # their source has changed by then, the target gets a differing number of rows.
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
    except BaseException:
        drop(kept)
        raise
    return Staged(kept, keys, found["rows"], found["rejected"])


def drop(kept: DataFrame) -> None:
    """Free what was staged."""
    with suppress(Py4JError):  # A JVM that is gone keeps nothing, and has said so.
        kept.unpersist()
