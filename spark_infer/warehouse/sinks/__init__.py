"""The target table: checked before, written by one run at a time, looked at again afterwards."""

from __future__ import annotations

from spark_infer.warehouse.sinks.choose import choose_sink
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.iceberg.source_columns import without_predictions
from spark_infer.warehouse.sinks.sink import KeepingSink, Means, Published, Sink
from spark_infer.warehouse.sinks.sql.writer import WRITING
from spark_infer.warehouse.sinks.target import Target

__all__ = [
    "WRITING",
    "Coverage",
    "KeepingSink",
    "Means",
    "Published",
    "Sink",
    "Target",
    "choose_sink",
    "without_predictions",
]
