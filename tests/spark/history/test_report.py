"""What a report tells of a run beside its counts, and what is told while it runs."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest

from spark_infer.errors import ConfigError, TooManyRejects
from spark_infer.warehouse.progress import Progress, watch

pytestmark = pytest.mark.one_spark

ROWS = (
    "INSERT INTO store.tx VALUES (4, NULL, 0, DATE'2018-08-08', 'EU'), "
    "(5, NULL, 0, DATE'2018-08-08', '<b>'), (6, NULL, 0, DATE'2018-08-08', NULL), "
    "(7, 1.0D, NULL, DATE'2018-08-08', 'EU')"
)


def test_reasons_have_counts_and_keys_of_some_rows(job: Any) -> None:
    job.spark.sql(ROWS)
    report = job.run(batch={"max_rejected_share": 1.0})
    assert list(report.rejects) == [
        {"reason": "column 'a' is null", "count": 3, "examples": [{"id": "4"}, {"id": "6"}]},
        {"reason": "column 'double_b' is null", "count": 1, "examples": [{"id": "7"}]},
    ]
    made = report.page_path(job.folder / "reports").read_text()
    assert "id=4<br>id=6" in made


def test_a_run_that_rejects_too_many_tells_why(job: Any) -> None:
    job.spark.sql(ROWS)
    with pytest.raises(TooManyRejects):
        job.run(key=["id", "day"], target={"keep": []})
    (file,) = (job.folder / "reports").glob("*Z-*.json")
    found = json.loads(file.read_text())["rejects"]
    assert found[1] == {
        "reason": "column 'double_b' is null",
        "count": 1,
        "examples": [{"id": "7", "day": "2018-08-08"}],
    }


def test_without_rejected_rows_there_are_none(job: Any) -> None:
    assert list(job.run().rejects) == []


def test_rows_are_counted_over_time(job: Any) -> None:
    report = job.run()
    assert report.throughput[-1]["rows"] == 2
    assert 0 < report.throughput[-1]["seconds"] <= report.seconds["score"]


def test_somebody_is_told_how_far_it_is(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)
    seen: list[Progress] = []
    before = threading.active_count()
    report = job.load().run(job.spark, on_progress=seen.append)
    assert report.rows_out == 2
    assert threading.active_count() <= before + 1
    assert {"score", "write"} <= {progress.step for progress in seen}
    scoring = [progress for progress in seen if progress.rows is not None]
    assert {progress.of_read for progress in scoring} == {None}
    assert any(progress.of_tasks for progress in seen)


def test_somebody_who_fails_changes_nothing(
    job: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)

    def fails(progress: Progress) -> None:
        raise BrokenPipeError("nobody reads")

    with caplog.at_level(logging.WARNING, logger="spark_infer"):
        report = job.load().run(job.spark, on_progress=fails)
    assert (report.status, job.scores()) == ("done", [(1, 1.0), (2, 2.0)])
    assert "how far step score is cannot be told" in caplog.text


def test_who_is_told_is_a_function(job: Any) -> None:
    with pytest.raises(ConfigError, match="on_progress must be a function of a Progress, got 3"):
        job.load().run(job.spark, on_progress=3)
