"""By what and when a row was scored."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.warehouse.config import LINEAGE_COLUMNS


def with_lineage(df: DataFrame, *, name: str, digest: str, run_id: str) -> DataFrame:
    """Add the columns that say by what and when each row was scored."""
    columns = (F.lit(name), F.lit(digest), F.lit(run_id), F.current_timestamp())
    # Not withColumns, which puts them in the place of columns whose names are much like theirs.
    added = zip(columns, LINEAGE_COLUMNS, strict=True)
    return df.select("*", *(column.alias(column_name) for column, column_name in added))
