"""Which rows a run scores again, as the job file says it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pyspark")

from pydantic import ValidationError

from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile.document import parse

JOB: dict[str, Any] = {
    "name": "nightly",
    "source": {"table": "tx"},
    "key": ["id"],
    "bundle": {"path": "bundle"},
}
OVERWRITE = {"table": "scores", "partition_by": ["day"], "keep": ["day"]}
APPEND = {"table": "scores", "mode": "append", "keep": ["ts"]}
MERGE = {"table": "scores", "mode": "merge", "keep": ["ts"]}
DELETE = MERGE | {"delete_missing": "true"}
WATERMARK = {"by": "watermark", "column": "ts"}


def job(incremental: dict[str, Any], target: dict[str, Any] = OVERWRITE, **more: Any) -> JobConfig:
    return JobConfig.model_validate({**JOB, "target": target, "incremental": incremental, **more})


@pytest.mark.parametrize(
    ("lateness", "number", "is_time"),
    [
        ("2 hours", 7200, True),
        ("1 hour", 3600, True),
        ("90  seconds", 90, True),
        ("3 days", 3 * 86400, True),
        ("2 weeks", 14 * 86400, True),
        ("5", 5, False),
        (5, 5, False),
        (None, 0, False),
    ],
)
def test_lateness(lateness: Any, number: int, is_time: bool) -> None:
    late = {} if lateness is None else {"lateness": lateness}
    found = job(WATERMARK | late, APPEND).incremental.late
    assert (found.number, found.is_time) == (number, is_time)


@pytest.mark.parametrize(
    ("incremental", "target", "message"),
    [
        ({"by": "content"}, APPEND, "mode append replaces none; use mode overwrite or merge"),
        (WATERMARK | {"column": "day"}, OVERWRITE, "use mode append or merge"),
        (WATERMARK, MERGE | {"keep": []}, "'ts' must be one of key or target.keep"),
        ({"by": "watermark"}, APPEND, "by: watermark needs column"),
        ({"by": "content", "column": "day"}, OVERWRITE, "column belongs to by: watermark"),
        ({"by": "content", "lateness": "2 days"}, OVERWRITE, "lateness belongs to"),
        (WATERMARK | {"lateness": "soon"}, APPEND, "such as 2 hours.*got 'soon'"),
        (WATERMARK | {"lateness": "-1 day"}, APPEND, "such as 2 hours"),
        (WATERMARK | {"lateness": "2 months"}, APPEND, "such as 2 hours"),
        (WATERMARK | {"lateness": "90000 weeks"}, APPEND, "at most 36,500 days"),
        (WATERMARK | {"gone": "mark"}, APPEND, "mode append changes no row"),
        ({"gone": "delete"}, MERGE, "a merge says target.delete_missing: true"),
        ({"gone": "keep"}, DELETE, "say two things"),
        ({"gone": "mark"}, DELETE, "say two things"),
        ({"by": "contents"}, OVERWRITE, "content"),
        ({"gone": "drop"}, OVERWRITE, "keep"),
    ],
)
def test_what_does_not_fit_is_refused(
    incremental: dict[str, Any], target: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        job(incremental, target)


@pytest.mark.parametrize(
    ("incremental", "target"),
    [({"by": "content"}, MERGE), (WATERMARK, APPEND), ({"gone": "mark"}, MERGE)],
)
def test_a_table_of_a_database_is_not_compared(
    incremental: dict[str, Any], target: dict[str, Any]
) -> None:
    jdbc = {"jdbc": {"url": "jdbc:postgresql://host/lake", "user_env": "USER"}}
    with pytest.raises(ValidationError, match=r"target\.jdbc is a database: leave incremental out"):
        job(incremental, target | jdbc)
    job(incremental | {"by": "full", "gone": None}, target | jdbc)


def test_one_run_of_everything_may_be_asked_of_any_job() -> None:
    assert not job(WATERMARK | {"by": "full"}, APPEND).incremental.compares("append")
    assert job({"by": "full", "gone": "mark"}).incremental.columns("overwrite") == (
        "content_hash",
        "gone_at",
    )


@pytest.mark.parametrize(
    ("incremental", "target", "columns"),
    [
        ({}, OVERWRITE, ()),
        ({"gone": "keep"}, OVERWRITE, ()),
        ({"by": "content"}, OVERWRITE, ("content_hash",)),
        ({"by": "content", "gone": "mark"}, MERGE, ("content_hash", "gone_at")),
        (WATERMARK, APPEND, ()),
        (WATERMARK, MERGE, ("content_hash",)),
    ],
)
def test_columns_of_the_target(
    incremental: dict[str, Any], target: dict[str, Any], columns: tuple[str, ...]
) -> None:
    assert job(incremental, target).incremental.columns(target.get("mode", "overwrite")) == columns


@pytest.mark.parametrize("name", ["content_hash", "Content_Hash"])
def test_a_key_of_the_name_of_a_column_of_the_job_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="has the name of a column of the job"):
        job({"by": "content"}, key=[name.lower()])
    job({}, key=[name])


@pytest.mark.parametrize("name", ["job", "model_values", "reason_stage", "rejected_at"])
def test_a_key_of_the_name_of_a_column_of_the_quarantine_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="has the name of a column of the quarantine"):
        job({}, key=[name], quarantine={"table": "rejects"})
    job({}, key=[name])


@pytest.mark.parametrize("max_rows", [-1, "-5"])
def test_a_limit_is_not_negative(max_rows: Any) -> None:
    with pytest.raises(ValidationError, match="max_rows is not negative"):
        job({}, quarantine={"table": "rejects", "max_rows": max_rows})


@pytest.mark.parametrize("text", ["quarantine:", "quarantine: null", "incremental: content"])
def test_what_is_no_section_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a section with keys"):
        JobConfig.model_validate({**JOB, "target": OVERWRITE, **parse(text)})
