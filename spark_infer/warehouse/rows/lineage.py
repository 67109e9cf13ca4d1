"""By what and when a row was scored."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from spark_infer.spark.prediction import Prediction
from spark_infer.warehouse.config import LINEAGE_COLUMNS


def with_lineage(prediction: Prediction, *, name: str, digest: str, run_id: str) -> Prediction:
    """Add the columns that say by what and when each row was scored."""
    now = dt.datetime.now(dt.timezone.utc)
    values = [pa.scalar(value, pa.string()) for value in (name, digest, run_id)]
    at = pa.scalar(now, pa.timestamp("us", "UTC"))
    return prediction.with_constants(zip(LINEAGE_COLUMNS, (*values, at), strict=True))
