"""A bundle is sent to the executors once, however often it is used."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark import SparkConf
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import RuntimeUnavailable
from spark_infer.spark.reference import BundleReference

CODE = """
import torch

class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x.sum(1)
"""


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


def test_code_that_only_the_tasks_have_is_theirs_to_find(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipped_elsewhere.py").write_text(CODE)
    with monkeypatch.context() as here:
        here.syspath_prepend(tmp_path)
        from shipped_elsewhere import Twice  # type: ignore[import-not-found]

        model: torch.nn.Module = Twice()
        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")]
        )
        bundle = si.save_bundle(
            tmp_path / "bundle",
            model,
            signature=signature,
            format="module",
            module="shipped_elsewhere:Twice",
        )
    monkeypatch.delitem(sys.modules, "shipped_elsewhere")
    allow = ["shipped_elsewhere"]
    with pytest.raises(RuntimeUnavailable, match="cannot be imported here"):
        BundleReference.share(spark, bundle, allow_modules=allow)
    conf = SparkConf(loadDefaults=False).set("spark.executorEnv.PYTHONPATH", str(tmp_path))

    def get_conf(_: Any) -> SparkConf:
        return conf

    monkeypatch.setattr(type(spark.sparkContext), "getConf", get_conf)
    assert BundleReference.share(spark, bundle, allow_modules=allow).digest == bundle.digest
