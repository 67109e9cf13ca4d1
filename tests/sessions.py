"""The Spark session of a folder of tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession


def local_session(root: Path, name: str, settings: Mapping[str, str] | None = None) -> SparkSession:
    """Start a session of two cores whose folders and bundles lie below ``root``."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_INFER_CACHE"] = str(root / "bundles")
    conf = {
        "spark.driver.memory": "2g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.python.daemon.module": "spark_infer.spark.daemon",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(root / "warehouse"),
        **(settings or {}),
    }
    builder = SparkSession.builder.master("local[2]").appName(f"spark_infer {name}")
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
