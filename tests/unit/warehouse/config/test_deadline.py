"""Deadlines in a job file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.config.deadline import OrderKey
from spark_infer.warehouse.jobfile import read_job
from tests.unit.warehouse.readme import example

JOB: dict[str, Any] = {
    "name": "nightly",
    "source": {"table": "tx"},
    "key": ["id"],
    "bundle": {"path": "bundles/fraud"},
    "target": {"table": "scores", "mode": "append"},
}
OVERWRITE = {"table": "scores", "partition_by": ["day"], "keep": ["day"]}
MERGE = {"table": "scores", "mode": "merge"}


def read(folder: Path, settings: Any = None, text: str = "", **changes: Any) -> JobConfig:
    file = folder / "job.yaml"
    file.write_text(json.dumps({**JOB, **changes})[:-1] + f"{text}}}")
    return read_job(file, settings or {}, {})[0]


@pytest.mark.parametrize(("written", "is_"), [("02:30", "02:30"), ('"23:59"', "23:59")])
def test_a_time_of_day_is_what_is_written(tmp_path: Path, written: str, is_: str) -> None:
    found = read(tmp_path, text=f', "deadline": {written}')
    assert (found.deadline, found.order_by, found.deadline_exit) == (is_, (), 0)
    assert read(tmp_path).deadline is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(
            ({"deadline": text}, f"deadline: must be a time of day .* got '{text}'")
            for text in ("2:30", "24:00", "02:60", "02:30:00", "noon", "0230", "")
        ),
        (
            {"deadline": "02:30", "deadline_exit": 3},
            "deadline_exit: must be one of 0, 5, 75; got 3",
        ),
        ({"deadline_exit": 5}, "deadline_exit says nothing without deadline"),
        ({"order_by": ["a"]}, "order_by says nothing without deadline"),
        ({"deadline": "02:30", "order_by": "a"}, r"order_by: must be a list such as \[a\]"),
        ({"deadline": "02:30", "order_by": [""]}, "order_by"),
        ({"deadline": "02:30", "target": OVERWRITE}, "in mode overwrite finds them by incremental"),
        ({"deadline": "02:30", "target": MERGE}, "in mode merge finds them by incremental.by cont"),
        (
            {"deadline": "02:30", "incremental": {"by": "watermark", "column": "id"}},
            "incremental.by watermark would pass over those",
        ),
        (
            {"deadline": "02:30", "challengers": {"next": {"path": "x"}}},
            "challengers take time that rows before the deadline need",
        ),
        (
            {"deadline": "02:30", "order_by": ["a"], "source": {"table": "t", "scan": "direct"}},
            "source.scan direct leaves as the files have them",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, **changes)


def test_readme_says_what_a_job_file_may(tmp_path: Path) -> None:
    found = read(tmp_path, target=OVERWRITE, **example("Deadline"))
    assert (found.deadline, found.order_by, found.deadline_exit) == ("02:30", ("amount DESC",), 75)


@pytest.mark.parametrize("target", [OVERWRITE, MERGE])
def test_rows_that_wait_are_found_by_their_content(tmp_path: Path, target: Any) -> None:
    found = read(
        tmp_path,
        deadline="02:30",
        deadline_exit="75",
        order_by=["amount DESC", "id"],
        target=target,
        incremental={"by": "content"},
    )
    assert (found.order_by, found.deadline_exit) == (("amount DESC", "id"), 75)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("amount", OrderKey("amount")),
        ("amount DESC", OrderKey("amount", descends=True)),
        ("amount  asc", OrderKey("amount")),
        ("a + b\ndesc nulls last ", OrderKey("a + b", descends=True, nulls_first=False)),
        ("a ASC NULLS FIRST", OrderKey("a", nulls_first=True)),
        ("concat(a, ' DESC')", OrderKey("concat(a, ' DESC')")),
        ("DESC", OrderKey("DESC")),
    ],
)
def test_keys_of_an_order(text: str, key: OrderKey) -> None:
    assert OrderKey.of(text) == key
