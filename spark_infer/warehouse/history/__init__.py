"""Earlier runs of a job: listed, shown, and replayed for a single row."""

from __future__ import annotations

from spark_infer.warehouse.history.runs import LAST, Runs
from spark_infer.warehouse.history.snapshot import snapshot_of

__all__ = ["LAST", "Runs", "snapshot_of"]
