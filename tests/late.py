"""Runs for which it is too late: a model that moves the clock, and when they begin."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.warehouse import run as run_module
from tests.clock import LAST, Skipping

NONE_LATE = 5
"""Days from now, further than the model moves the clock."""


@pytest.fixture(scope="session")
def skipping(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    """A model that doubles a number, and for which it is two days later after a certain one."""
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    path = tmp_path_factory.mktemp("bundles") / "skipping"
    module = f"{Skipping.__module__}:Skipping"
    return si.save_bundle(path, Skipping(), signature=signature, format="module", module=module)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has runs begin some days from now."""

    def at(days: float) -> None:
        moment = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)
        monkeypatch.setattr(run_module, "_now", lambda: moment)

    return at


def insert_five(spark: SparkSession, others: str) -> None:
    """Add numbers 1 to 5 to a source, in order and as one file: it is too late after the third.

    Args:
        spark: The session.
        others: Values of the columns behind the number and what the model reads.
    """
    rows = ", ".join(f"({n}, {LAST if n == 3 else n}D, {others})" for n in range(1, 6))
    spark.sql(f"INSERT INTO store.tx SELECT /*+ COALESCE(1) */ * FROM VALUES {rows}")


def in_time(bundle: si.Bundle) -> dict[str, Any]:
    """Return what a job says that predicts row by row until 02:30."""
    return {
        "bundle": {"path": str(bundle.path), "allow_modules": [Skipping.__module__]},
        "deadline": "02:30",
        "batch": {"batch_size": 1, "max_rejected_share": 0.0, "cache_bytes": 0},
    }
