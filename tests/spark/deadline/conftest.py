"""A job whose runs are looked at afterwards, and a model that moves the clock of its worker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

import spark_infer as si
from spark_infer.warehouse import run as run_module
from tests.spark.deadline.clock import Skipping
from tests.spark.sinks.conftest import by_sql, job

__all__ = ["by_sql", "job"]


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
