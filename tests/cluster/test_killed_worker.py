"""A Python worker that is killed in the middle of its rows: nothing is lost or counted twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.tasks.metrics import metrics_accumulator

NUM_ROWS = 40_000
DEADLY = 25_000.0

MODULE = '''
"""A model that kills its process at one row, the first time."""

import os
import signal
from pathlib import Path

import torch


class DiesOnce(torch.nn.Module):
    def __init__(self, grave, deadly):
        super().__init__()
        self.grave = Path(grave)
        self.deadly = deadly
        self.register_buffer("factor", torch.tensor(3.0))

    def forward(self, x):
        if (x == self.deadly).any() and not self.grave.exists():
            self.grave.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return (x * self.factor).squeeze(1)
'''


@pytest.fixture
def module(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the model's module, importable here and on the executors."""
    name = f"dies_once_{tmp_path.name}"
    path = tmp_path / f"{name}.py"
    path.write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    spark.sparkContext.addPyFile(str(path))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def grave(tmp_path: Path) -> Path:
    """The file in which the killed process leaves its id."""
    return tmp_path / "grave"


@pytest.fixture
def bundle(module: str, grave: Path, tmp_path: Path) -> si.Bundle:
    arguments = {"grave": str(grave), "deadly": DEADLY}
    kind = __import__(module).DiesOnce
    return si.save_bundle(
        tmp_path / "bundle",
        kind(**arguments),
        signature=si.Signature(
            inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
        ),
        format="module",
        module=f"{module}:DiesOnce",
        arguments=arguments,
    )


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("keep", [["id"], None])
def test_its_rows_are_predicted_by_another(
    spark: SparkSession,
    bundle: si.Bundle,
    module: str,
    grave: Path,
    keep: list[str] | None,
    overlap: bool,
) -> None:
    rows = spark.range(0, NUM_ROWS, 1, 2).select("id", F.col("id").cast("float").alias("a"))
    counted = metrics_accumulator(spark)
    scored = rows.transform(
        si.predict,
        bundle,
        keep=keep,
        options=si.BatchOptions(overlap=overlap),
        allow_modules=[module],
        metrics=counted,
    )
    found: list[Any] = scored.select("id", "score").collect()
    assert int(grave.read_text()) > 0
    assert {row["id"]: row["score"] for row in found} == {n: 3.0 * n for n in range(NUM_ROWS)}
    assert len(found) == NUM_ROWS
    # What the killed attempt did is not counted, nor is any row held against the model.
    assert (counted.value.num_rows, counted.value.num_rejected) == (NUM_ROWS, 0)


def test_a_worker_that_always_dies_is_told_and_passes(
    spark: SparkSession, bundle: si.Bundle, module: str, grave: Path
) -> None:
    rows = spark.range(0, 10, 1, 1).select("id", F.lit(DEADLY).cast("float").alias("a"))

    def dig(batches: Any) -> Any:
        for batch in batches:
            grave.unlink(missing_ok=True)
            yield batch

    rows = rows.mapInArrow(dig, rows.schema)
    scored = rows.transform(si.predict, bundle, keep=["id"], allow_modules=[module])
    with (
        pytest.raises(WarehouseError, match="a Python worker ended without a word") as caught,
        spark_failures("scoring failed"),
    ):
        scored.collect()
    assert caught.value.transient
    assert "\n" not in str(caught.value)
