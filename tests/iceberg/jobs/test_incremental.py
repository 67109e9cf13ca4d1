"""Incremental runs and the quarantine on tables of Iceberg."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import WarehouseError

MERGE = {"mode": "merge"}
DELETE = {"mode": "merge", "delete_missing": True}
OVERWRITE = {"partition_by": ["day"]}
CONTENT = {"incremental": {"by": "content"}}
MARK = {"incremental": {"by": "content", "gone": "mark"}}
WATERMARK = {"incremental": {"by": "watermark", "column": "day"}}
ONE_DAY = {"source": {"table": "store.tx", "filter": "day = :date"}}


def counts(job: Any, **changes: Any) -> tuple[Any, ...]:
    report = job.run(**changes)
    return report.rows_in, report.rows_unchanged, report.rows_carried


def marks(job: Any) -> list[int]:
    job.spark.sql("REFRESH TABLE ice.lake.scores")
    rows = job.spark.sql("SELECT id FROM ice.lake.scores WHERE gone_at IS NOT NULL ORDER BY id")
    return [row[0] for row in rows.collect()]


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(("target", "carried"), [(MERGE, 0), (OVERWRITE, 1), (DELETE, 0)])
def test_only_new_and_changed_rows_are_scored(
    job: Any, target: dict[str, Any], carried: int
) -> None:
    assert counts(job, target=target, **CONTENT) == (3, 0, 0)
    job.transactions("1 8", "2 8 100", "3 9", "4 9")
    assert counts(job, target=target, **CONTENT) == (2, 2, 2 * carried)
    assert job.scores() == [(1, 8, 2.0), (2, 8, 200.0), (3, 9, 6.0), (4, 9, 8.0)]
    snapshots = job.snapshots()
    assert counts(job, target=target, **CONTENT) == (0, 4, 0)
    assert job.scores() == [(1, 8, 2.0), (2, 8, 200.0), (3, 9, 6.0), (4, 9, 8.0)]
    assert target == DELETE or job.snapshots() == snapshots
    assert job.branches() == ["main"]


def test_what_left_the_source_is_deleted_and_what_is_unchanged_is_not(job: Any) -> None:
    job.run(target=DELETE, **CONTENT)
    job.transactions("1 8", "3 9 100")
    assert counts(job, target=DELETE, **CONTENT) == (1, 1, 0)
    assert job.scores() == [(1, 8, 2.0), (3, 9, 200.0)]
    job.transactions("1 8")
    assert counts(job, target=DELETE, **CONTENT) == (0, 1, 0)
    assert job.scores() == [(1, 8, 2.0)]


def test_only_what_the_run_is_about_is_deleted(job: Any) -> None:
    job.run(target=DELETE, **CONTENT)
    job.transactions("1 8")
    job.run(target=DELETE, **CONTENT, **ONE_DAY)
    assert job.scores() == [(1, 8, 2.0), (3, 9, 6.0)]


def test_a_source_without_rows_deletes_nothing(job: Any) -> None:
    job.run(target=DELETE, **CONTENT)
    job.transactions()
    with pytest.raises(WarehouseError, match="would empty table"):
        job.run(target=DELETE, **CONTENT)
    assert len(job.scores()) == 3


@pytest.mark.nightly
@pytest.mark.parametrize("target", [MERGE, OVERWRITE])
def test_what_left_the_source_is_marked_and_unmarked(job: Any, target: dict[str, Any]) -> None:
    job.run(target=target, **MARK)
    job.transactions("1 8", "3 9")
    for _ in range(2):
        job.run(target=target, **MARK)
        assert marks(job) == [2]
        assert len(job.scores()) == 3
    job.transactions("1 8", "2 8", "3 9")
    job.run(target=target, **MARK)
    assert marks(job) == []


@pytest.mark.nightly
def test_a_merge_writes_rows_of_which_only_what_is_kept_has_changed(job: Any) -> None:
    target = MERGE | {"keep": ["day", "region"]}
    job.run(target=target, **CONTENT)
    job.spark.sql("CREATE TABLE store.other USING parquet AS SELECT * FROM store.tx")
    changed = {"region": "if(id = 2, NULL, region)"}
    assert counts(job, target=target, features=changed, **CONTENT) == (1, 2, 0)
    assert counts(job, target=target, features=changed, **CONTENT) == (0, 3, 0)


def test_a_day_of_which_no_row_has_changed_is_left_alone(job: Any) -> None:
    changes = {"target": OVERWRITE, "source": {"table": "store.tx", "filter": "day < '2018-09-01'"}}
    job.run(**changes, **CONTENT)
    before = dict(job.rows_of("id, run_id"))
    job.transactions("1 8 100", "3 9")
    assert counts(job, **changes, **CONTENT) == (1, 1, 0)
    assert job.scores() == [(1, 8, 200.0), (3, 9, 6.0)]
    after = dict(job.rows_of("id, run_id"))
    assert [n for n in after if after[n] == before[n]] == [3]
    # Of a day that is emptied, nothing is left, and nothing else is written.
    job.transactions("3 9")
    assert counts(job, **changes, **CONTENT) == (0, 1, 0)
    assert job.rows_of("id, run_id") == [(3, after[3])]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [MERGE, {"mode": "append"}])
def test_rows_below_the_watermark_are_not_read(job: Any, target: dict[str, Any]) -> None:
    job.run(target=target, **WATERMARK)
    job.transactions("1 8 100", "4 8", "5 10")
    assert counts(job, target=target, **WATERMARK)[0] == 1
    assert job.scores() == [(1, 8, 2.0), (2, 8, 4.0), (3, 9, 6.0), (5, 10, 10.0)]


@pytest.mark.nightly
def test_a_merge_deletes_above_the_watermark_only(job: Any) -> None:
    late = {"incremental": WATERMARK["incremental"] | {"lateness": "1 day"}}
    job.run(target=DELETE, **late)
    job.transactions("5 10")
    job.run(target=DELETE, **late)
    # Rows 1 and 2 are of the 8th, which the run is not about.
    assert job.scores() == [(1, 8, 2.0), (2, 8, 4.0), (5, 10, 10.0)]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("table", ["store.rejects", "ice.lake.rejects"])
def test_rejected_rows_stand_in_the_quarantine_until_they_are_scored(job: Any, table: str) -> None:
    changes = {
        "target": DELETE,
        "quarantine": {"table": table},
        "batch": {"max_rejected_share": 1},
        **CONTENT,
    }

    def rejects() -> list[int]:
        job.spark.sql(f"REFRESH TABLE {table}")
        return [row[0] for row in job.spark.sql(f"SELECT id FROM {table} ORDER BY id").collect()]

    job.transactions("1 8 NULL", "2 8 NULL", "3 9", "4 9 NULL")
    job.run(**changes)
    assert rejects() == [1, 2, 4]
    job.transactions("1 8", "2 8 NULL", "3 9")
    assert job.run(**changes).rows_quarantined == 1
    assert rejects() == [2]
