"""A model that asks for the time is not saved: a program would keep that of saving."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import spark_infer as si
from spark_infer.errors import SignatureError

SIGNATURE = si.Signature(
    inputs=[si.ScalarInput("ts", columns=["ts"], dtype="float64")],
    outputs=[si.Output("age", dtype="float64")],
)


class Age(torch.nn.Module):
    """Days since a time in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now

    def forward(self, ts: torch.Tensor) -> torch.Tensor:
        return (self._now() - ts[:, 0]) / 86400


class Timed(torch.nn.Module):
    """Measures how long it takes."""

    def forward(self, ts: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter(), time.monotonic()
        assert len(start) == 2
        return ts[:, 0] * 2


def _in_a_function() -> float:
    return time.time()


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (lambda: time.time(), r"time\(\) in .*test_clock\.py, line \d+"),
        (_in_a_function, r"time\(\) in"),
        (lambda: time.time_ns() / 1e9, r"time_ns\(\)"),
        (lambda: dt.datetime.now(dt.UTC).timestamp(), r"now\(\)"),
        (lambda: dt.date.today().toordinal() * 86400.0, r"today\(\)"),
    ],
)
@pytest.mark.parametrize("stochastic", [False, True])
def test_a_model_that_asks_for_the_time_is_refused(
    tmp_path: Path, now: Callable[[], float], says: str, stochastic: bool
) -> None:
    with pytest.raises(SignatureError, match=f"the model calls .*{says}.*as a column"):
        si.save_bundle(tmp_path / "b", Age(now), signature=SIGNATURE, stochastic=stochastic)
    assert not (tmp_path / "b").exists()


def test_a_model_that_measures_its_time_is_saved(tmp_path: Path) -> None:
    si.save_bundle(tmp_path / "b", Timed(), signature=SIGNATURE)
