"""What files hold, beside what Spark takes their columns for."""

from __future__ import annotations

from spark_infer.spark.stored.check import check_stored_types

__all__ = ["check_stored_types"]
