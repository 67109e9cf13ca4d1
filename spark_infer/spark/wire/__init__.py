"""The wire: what travels from the JVM to Python for one signature, column by column."""

from __future__ import annotations

from spark_infer.spark.wire.layout import Wire
from spark_infer.spark.wire.source import Source, by_name, quoted

__all__ = ["Source", "Wire", "by_name", "quoted"]
