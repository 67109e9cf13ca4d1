"""Reading a table's files in the workers, where that gives the rows that Spark would read."""

from __future__ import annotations

from spark_infer.spark.scan.explain import explain, mark
from spark_infer.spark.scan.refused import NotDirect
from spark_infer.spark.scan.scan import ScanMode, check_scan, direct_scan

__all__ = ["NotDirect", "ScanMode", "check_scan", "direct_scan", "explain", "mark"]
