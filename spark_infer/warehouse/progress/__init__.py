"""How far a run is, for whoever waits for it."""

from __future__ import annotations

from spark_infer.warehouse.progress.progress import Progress
from spark_infer.warehouse.progress.watch import Counting, Watch

__all__ = ["Counting", "Progress", "Watch"]
