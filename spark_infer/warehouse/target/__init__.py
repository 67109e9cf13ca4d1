"""The target table: checked before, written by one run at a time, looked at again afterwards."""

from __future__ import annotations

from spark_infer.warehouse.target.coverage import Coverage
from spark_infer.warehouse.target.target import Target, Written
from spark_infer.warehouse.target.writer import WRITING

__all__ = ["WRITING", "Coverage", "Target", "Written"]
