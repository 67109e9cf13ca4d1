"""Real executor processes: two, with one core each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession

import spark_infer as si

MASTER = "local-cluster[2,1,1024]"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where executors unpack bundles."""
    path = tmp_path_factory.mktemp("cache")
    os.environ["SPARK_INFER_CACHE"] = str(path)
    return path


@pytest.fixture(scope="session")
def spark(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master(MASTER)
        .appName("spark_infer cluster tests")
        .config("spark.driver.memory", "1g")
        .config("spark.executor.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "OFF")
        .config("spark.executor.defaultJavaOptions", os.environ.get("SPARK_SUBMIT_OPTS", ""))
        .config("spark.python.daemon.module", "spark_infer.spark.daemon")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    """Adds ten times b to a."""
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 10.0]]))
        model.bias.zero_()
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("score")]
    )
    path = tmp_path_factory.mktemp("bundles") / "linear"
    return si.save_bundle(path, model, signature=signature)
