"""Runs that their gate has stopped, and what later runs have done until somebody decides."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import GateError, WarehouseError

pytestmark = pytest.mark.one_spark

NEVER = {"check": "range", "column": "score", "max": 0}
"""No score of the job's rows is so small."""
REJECTING = {"features": {"a": "CASE WHEN id = 1 THEN CAST(NULL AS DOUBLE) ELSE a END"}}
QUARANTINE: dict[str, Any] = {
    "quarantine": {"table": "store.rejects"},
    "batch": {"max_rejected_share": 1.0},
}


def stopped(job: Any, **changes: Any) -> str:
    """Run a job that its gate stops, and return the run."""
    with pytest.raises(GateError) as caught:
        job.run(gate=[NEVER], **changes)
    return str(caught.value).split("stopped run ")[1].split(",")[0]


def rejects(job: Any) -> list[tuple[Any, ...]]:
    job.spark.sql("REFRESH TABLE store.rejects")
    rows = job.spark.sql("SELECT id, run_id FROM store.rejects ORDER BY id").collect()
    return [tuple(row) for row in rows]


def test_what_is_not_published_leaves_the_quarantine_as_it_was(job: Any) -> None:
    run = stopped(job, **QUARANTINE, **REJECTING)
    features = {"a": "CASE WHEN id = 2 THEN CAST(NULL AS DOUBLE) ELSE a END"}
    later = job.run(**QUARANTINE, features=features)
    with pytest.raises(WarehouseError, match=rf"run {later.run_id} has since written partitions"):
        job.load(**QUARANTINE, **REJECTING).publish(run, job.spark)
    assert rejects(job) == [(2, later.run_id)]


def test_a_table_that_has_other_columns_by_now_leaves_the_quarantine_as_it_was(job: Any) -> None:
    job.run({"date": "2018-08-09"})
    run = stopped(job, **QUARANTINE, **REJECTING)
    job.spark.sql("ALTER TABLE store.scores ADD COLUMNS (other INT)")
    with pytest.raises(WarehouseError, match="other columns than this job writes"):
        job.load(**QUARANTINE, **REJECTING).publish(run, job.spark)
    assert not job.spark.catalog.tableExists("store.rejects")


@pytest.mark.parametrize("again", [False, True])
def test_a_partition_that_was_emptied_since_is_not_filled_again(job: Any, again: bool) -> None:
    job.run()
    job.run({"date": "2018-08-09"})
    run = stopped(job)
    job.transactions("3 2018-08-09")
    later = job.run()
    if again:
        job.run()
    assert job.scores() == [(3, 3.0)]
    with pytest.raises(WarehouseError, match=rf"run {later.run_id} has since written partitions"):
        job.load().publish(run, job.spark)
    assert job.scores() == [(3, 3.0)]
    job.load().drop(run, job.spark)


def test_a_partition_that_was_never_there_is_not_filled_after_a_run_without_rows(job: Any) -> None:
    job.run({"date": "2018-08-09"})
    run = stopped(job)
    job.transactions("3 2018-08-09")
    later = job.run()
    job.run({"date": "2018-08-09"})
    with pytest.raises(WarehouseError, match=rf"run {later.run_id} with the same parameters was"):
        job.load().publish(run, job.spark)
    assert job.scores() == [(3, 3.0)]


def test_partitions_that_earlier_runs_have_emptied_or_filled_are_replaced(job: Any) -> None:
    job.run()
    job.transactions("3 2018-08-09")
    job.run()
    job.run({"date": "2018-08-09"})
    job.transactions("4 2018-08-08", "5 2018-08-09")
    first, second = stopped(job), stopped(job, settings={"date": "2018-08-09"})
    for run in (second, first):
        job.load().publish(run, job.spark)
    assert job.scores() == [(4, 4.0), (5, 5.0)]


def test_rows_that_an_append_leaves_out_are_not_in_the_quarantine(job: Any) -> None:
    append = {"target": {"mode": "append"}, **QUARANTINE}
    job.transactions("1 2018-08-08", "2 2018-08-08", "3 2018-08-08")
    run = stopped(job, **append, **REJECTING)
    job.transactions("1 2018-08-08")
    job.run(**append)
    published = job.load(**append, **REJECTING).publish(run, job.spark)
    assert (published.rows, published.rejected) == (2, 0)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert not job.spark.catalog.tableExists("store.rejects")


def test_rows_that_another_append_has_rejected_stay_its_own(job: Any) -> None:
    append = {"target": {"mode": "append"}, **QUARANTINE, **REJECTING}
    run = stopped(job, **append)
    later = job.run(**append)
    assert rejects(job) == [(1, later.run_id)]
    job.load(**append).publish(run, job.spark)
    assert rejects(job) == [(1, later.run_id)]


@pytest.mark.parametrize("limit", [{}, {"max_rows": 1}])
def test_rows_that_were_rejected_before_count_no_more_than_in_the_run(
    job: Any, limit: dict[str, int]
) -> None:
    about = {"incremental": {"by": "content"}, "quarantine": {"table": "store.rejects"} | limit}
    nulls = {"features": {"a": "CASE WHEN id < 3 THEN CAST(NULL AS DOUBLE) ELSE a END"}}
    job.run(
        **about | {"quarantine": {"table": "store.rejects"}},
        **nulls,
        batch={"max_rejected_share": 1},
    )
    job.transactions("1 2018-08-08", "2 2018-08-08", "4 2018-08-08")
    few = {"batch": {"max_rejected_share": 0.1}}
    run = stopped(job, **about, **nulls, **few)
    published = job.load(**about, **nulls, **few).publish(run, job.spark)
    assert (published.rows, published.rejected) == (3, 2)
    assert rejects(job) == [(1, run), (2, run)]
