"""A bundle is sent to the executors once, however often it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.spark.reference import BundleReference


def test_a_bundle_is_broadcast_once_for_an_application(
    spark: SparkSession, linear: si.Bundle, mixture: si.Bundle, tmp_path: Path
) -> None:
    first = BundleReference.share(spark, linear)
    again = BundleReference.share(spark.newSession(), linear, si.BatchOptions(batch_size=7))
    assert again.archive is first.archive
    assert (again.options.batch_size, first.options.batch_size) == (7, "auto")
    copy = shutil.copytree(linear.path, tmp_path / "copy")
    assert BundleReference.share(spark, si.Bundle.load(copy)).archive is first.archive
    assert BundleReference.share(spark, mixture).archive is not first.archive
