"""What the gate remembers of earlier runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spark_infer.bundle.profile import Distribution, Profile
from spark_infer.errors import ConfigError
from spark_infer.warehouse.config import ParameterConfig
from spark_infer.warehouse.gate.history import History, Remembered, history_name


def run(run_id: str, digest: str = "d", rows: int = 1, **columns: float) -> Remembered:
    found = {name: Distribution.of(np.array([value])) for name, value in columns.items()}
    profile = Profile(inputs={}, outputs=found)
    return Remembered(run_id=run_id, digest=digest, rows=rows, profile=profile)


def test_the_first_run_of_a_bundle_stays_and_the_last_one_does_not() -> None:
    history = History().after(run("1", a=1.0)).after(run("2", a=2.0))
    assert history.of("d") == run("1", a=1.0).profile
    assert history.previous == run("2", a=2.0)
    assert history.of("e") is None
    again = history.after(run("3", "e", a=3.0))
    assert (again.of("d"), again.of("e")) == (None, run("3", a=3.0).profile)


def test_a_run_without_rows_is_no_profile() -> None:
    history = History().after(run("1", rows=0)).after(run("2", a=2.0))
    assert history.of("d") == run("2", a=2.0).profile


def test_columns_that_are_checked_later_begin_then() -> None:
    history = History().after(run("1", a=1.0)).after(run("2", a=2.0, b=2.0))
    assert history.of("d") == run("1", a=1.0, b=2.0).profile


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert History.read(tmp_path, "n.json") == History()
    for history in (History(), History().after(run("1", a=1e-300))):
        history.write(tmp_path, "n.json")
        assert History.read(tmp_path, "n.json") == history


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"version": 1}', '{"version": 9}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(ConfigError, match=r"n\.json, .* is damaged"):
        History.read(tmp_path, "n.json")


def test_a_file_is_of_the_parameters_that_are_no_times() -> None:
    declared = {"day": ParameterConfig(type="date"), "shop": ParameterConfig(type="string")}
    names = {
        history_name("n", declared, {"day": day, "shop": shop})
        for day in ("2018-08-08", "2018-08-09")
        for shop in ("a", "b")
    }
    assert len(names) == 2
    assert all(name.startswith("n.") and name.endswith(".profiles.json") for name in names)
