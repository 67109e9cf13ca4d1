"""Jobs that end in time: what was not scored waits, is no rejected row, and comes with the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import spark_infer as si
from spark_infer.errors import ConfigError, GateError
from spark_infer.model.deadline import PENDING
from tests.clock import LAST
from tests.late import NONE_LATE, in_time, insert_five
from tests.schema import check_report

pytestmark = pytest.mark.one_spark
CONTENT = {"by": "content"}
OVERWRITE, APPEND = {}, {"mode": "append"}
SCORED = {1: 2.0, 2: 4.0, 3: 2 * LAST}
LATER = {4: 8.0, 5: 10.0}
ALL_LATE = -3
"""Days from now, so that the next 02:30 is over."""


@pytest.fixture
def late(job: Any, skipping: si.Bundle) -> Any:
    """A job for which it is too late after its third row; it has one file, read in order."""
    job.transactions()
    insert_five(job.spark, "0, DATE'2018-08-08', 'EU'")
    job.config |= in_time(skipping) | {"incremental": CONTENT}
    return job


def rows_of(job: Any) -> dict[int, tuple[float | None, str | None]]:
    found = job.spark.sql("SELECT id, score, rejected_reason FROM store.scores").collect()
    return {row["id"]: (row["score"], row["rejected_reason"]) for row in found}


def done(scores: dict[int, float]) -> dict[int, Any]:
    return {number: (score, None) for number, score in scores.items()}


def test_what_is_late_waits_and_the_next_run_completes_it(
    late: Any, begin: Callable[[float], None]
) -> None:
    late.config["quarantine"] = {"table": "store.rejected"}
    begin(0)
    report = late.run()
    assert rows_of(late) == done(SCORED) | dict.fromkeys(LATER, (None, PENDING))
    assert (report.status, report.rows_in, report.rows_out) == ("done", 5, 5)
    assert (report.rows_pending, report.rows_rejected, report.rows_quarantined) == (2, 0, 0)
    assert report.batches["num_pending"] == 2
    assert list(report.rejects) == []
    assert report.deadline.endswith("+00:00")
    assert report.summary()["rows"].endswith(", 0 in quarantine, 2 pending")
    directory = late.folder / "reports"
    check_report(json.loads(report.path(directory).read_text()))
    page = report.page_path(directory).read_text()
    assert "3 rows were scored and written to store.scores. 2 rows are pending, for which" in page
    replayed = late.load().replay(report.run_id, {"id": 4}, late.spark)
    assert (replayed.verdict, replayed.is_equal) == ("pending", False)
    assert replayed.predicted == {"score": 8.0}
    begin(NONE_LATE)
    again = late.run()
    assert rows_of(late) == done(SCORED | LATER)
    assert (again.rows_in, again.rows_unchanged, again.rows_pending) == (2, 3, 0)


@pytest.mark.nightly
def test_an_append_leaves_them_out(late: Any, begin: Callable[[float], None]) -> None:
    begin(0)
    changes = {"target": APPEND, "incremental": None}
    report = late.run(**changes)
    assert rows_of(late) == done(SCORED)
    assert (report.rows_in, report.rows_out) == (5, 3)
    assert (report.rows_pending, report.rows_rejected) == (2, 0)
    begin(NONE_LATE)
    again = late.run(**changes)
    assert rows_of(late) == done(SCORED | LATER)
    assert (again.rows_in, again.rows_out, again.rows_pending) == (2, 2, 0)


def test_a_gate_is_about_the_rows_that_there_was_time_for(
    late: Any, begin: Callable[[float], None]
) -> None:
    begin(0)
    gate = [
        {"check": "nulls", "max": 0},
        {"check": "rejects", "max": 0},
        {"check": "rows", "min": 5, "max": 5},
        {"check": "share_above", "column": "score", "threshold": 3, "min": 0.6},
        {"check": "sql", "name": "all", "expression": "count(*) = 5 AND min(score) > 0"},
        {"check": "range", "column": "score", "max": 1},
    ]
    with pytest.raises(GateError, match="range of score is 154"):
        late.run(gate=gate)
    (file,) = (late.folder / "reports").glob("target-*Z-*.json")
    report = json.loads(file.read_text())
    values = {result["name"]: (result["value"], result["outcome"]) for result in report["gate"]}
    assert values == {
        "nulls": (0.0, "passed"),
        "rejects": (0.0, "passed"),
        "rows": (5.0, "passed"),
        "share_above": (2 / 3, "passed"),
        "all": (True, "passed"),
        "range": (154.0, "stopped"),
    }
    published = late.load(gate=gate).publish(report["run_id"], late.spark)
    assert published.rows == 5
    told = json.loads(file.read_text())
    assert (told["status"], told["rows_rejected"], told["rows_pending"]) == ("published", 0, 2)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, {"writer": "jvm"}])
def test_when_it_is_over_nobody_is_asked(
    job: Any, begin: Callable[[float], None], target: dict[str, Any]
) -> None:
    begin(ALL_LATE)
    report = job.run(
        deadline="02:30",
        order_by=["a DESC"],
        incremental=CONTENT,
        target=target,
        gate=[
            {"check": "nulls", "max": 0},
            {"check": "psi", "max": 0.1},
            {"check": "rows", "min": 2},
        ],
    )
    assert report.scan.startswith("jvm: ")
    assert (report.rows_in, report.rows_out, report.rows_pending) == (2, 2, 2)
    assert report.batches["num_predicted"] == 0
    assert {score for score, _ in rows_of(job).values()} == {None}
    assert {r["outcome"] for r in report.gate} == {"undefined", "passed"}


def test_rows_are_scored_in_order_when_there_is_time(
    job: Any, begin: Callable[[float], None]
) -> None:
    begin(NONE_LATE)
    report = job.run(
        deadline="02:30",
        order_by=["weight DESC", "id"],
        features={"weight": "a * 2"},
        incremental=CONTENT,
    )
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    assert (report.rows_pending, report.rows_rejected) == (0, 0)


def test_an_order_that_does_not_fit_is_refused_before_a_row_is_read(job: Any) -> None:
    with pytest.raises(ConfigError, match=r"order_by.0 \(amont\)"):
        job.run(deadline="02:30", order_by=["amont"], incremental=CONTENT)
    assert not job.spark.catalog.tableExists("store.scores")
