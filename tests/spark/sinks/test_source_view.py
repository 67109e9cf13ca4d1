"""Predictions beside their source, in a table that a view joins to it."""

from __future__ import annotations

from typing import Any

import pytest

import spark_infer as si
from spark_infer.errors import ConfigError, WarehouseError

pytestmark = pytest.mark.one_spark
INTO: dict[str, Any] = {"into": "source", "table": None}
LINEAGE = ["bundle_name", "bundle_digest", "run_id", "scored_at"]


def load(job: Any, **changes: Any) -> si.ScoringJob:
    """Load a job whose target has no key without a value."""
    target = job.config["target"] | INTO | changes.pop("target", {})
    job.config["target"] = {k: v for k, v in target.items() if v is not None}
    return job.load(**changes)


def run(job: Any, **changes: Any) -> si.RunReport:
    return load(job, **changes).run(job.spark)


def scored(job: Any, view: str = "store.tx_scored") -> list[tuple[Any, ...]]:
    rows = job.spark.sql(f"SELECT id, region, score FROM {view} ORDER BY id, region").collect()
    return [tuple(row) for row in rows]


def test_each_row_of_the_source_stands_there_once(job: Any) -> None:
    job.transactions("1 2018-08-08 EU", "2 2018-08-09 US")
    assert run(job).target == "store.tx_predictions"
    assert job.spark.table("store.tx_scored").columns == [
        *("id", "a", "b", "day", "region", "score", "rejected_reason"),
        *LINEAGE,
    ]
    assert scored(job) == [(1, "EU", 1.0), (2, "US", None)]
    # Another day, and a row that has left and one that has moved there.
    job.transactions("2 2018-08-09 US", "1 2018-08-09 EU")
    run(job, settings={"date": "2018-08-09"})
    assert scored(job) == [(1, "EU", 1.0), (2, "US", 2.0)]
    job.spark.sql("DROP VIEW store.tx_scored")


def test_a_row_that_moved_has_no_stale_prediction(job: Any) -> None:
    job.transactions("1 2018-08-08", "2 2018-08-08")
    run(job)
    job.transactions("1 2018-08-09", "2 2018-08-08")
    assert scored(job) == [(1, "EU", None), (2, "EU", 2.0)]
    job.spark.sql("DROP VIEW store.tx_scored")


@pytest.mark.nightly
def test_a_column_that_the_source_gets_is_in_the_view_after_the_next_run(job: Any) -> None:
    job.transactions("1 2018-08-08")
    changes = {"mode": "append", "partition_by": None, "keep": None, "view": "store.seen"}
    run(job, target=changes)
    job.spark.sql("ALTER TABLE store.tx ADD COLUMNS (note STRING)")
    assert "note" not in job.spark.table("store.seen").columns
    run(job)
    assert "note" in job.spark.table("store.seen").columns
    assert scored(job, "store.seen") == [(1, "EU", 1.0)]
    job.spark.sql("DROP VIEW store.seen")


def test_a_dry_run_makes_no_view(job: Any) -> None:
    job.transactions("1 2018-08-08")
    load(job).run(job.spark, dry_run=True)
    assert not job.spark.catalog.tableExists("store.tx_scored")


def test_what_a_view_cannot_join_is_refused_before_reading(job: Any) -> None:
    job.transactions("1 2018-08-08")
    job.spark.sql("CREATE VIEW store.taken AS SELECT 1 AS x")
    job.spark.table("store.tx").createOrReplaceTempView("passing")
    job.spark.sql("CREATE TABLE store.own USING parquet AS SELECT *, 0 AS Run_Id FROM store.tx")
    broken = "raise_error('read') IS NULL"
    for text, changes in {
        "no job has made it": {"target": {"view": "store.taken"}},
        "is the name of the source or": {"target": {"table": "store.same", "view": "Store.Same"}},
        "target.view: 'store.tx' is the name": {"target": {"view": "store.tx"}},
        "is a feature of the job": {"features": {"day": "date_add(day, 1)"}},
        "is a temporary view": {"source": {"table": "passing", "filter": broken}},
        "has a column 'run_id'": {"source": {"table": "store.own", "filter": broken}},
        "not one of Iceberg": {
            "target": {"mode": "merge", "partition_by": None, "keep": None, "view": None}
        },
    }.items():
        before = dict(job.config["target"])
        with pytest.raises((ConfigError, WarehouseError), match=text):
            run(job, **changes)
        job.config["target"] = before
    job.spark.sql("DROP VIEW store.taken")
    for table in ("store.tx_predictions", "store.same"):
        assert not job.spark.catalog.tableExists(table)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"source": {"path": "tx.parquet"}}, "needs source.table"),
        ({"target": {"into": "table", "table": "t", "view": "v"}}, "say into: source"),
        ({"target": {"mode": "merge", "partition_by": None}}, "keep is for a table beside"),
        (
            {"target": {"mode": "merge", "partition_by": None, "keep": None, "table": "other"}},
            "the target is source.table",
        ),
        (
            {
                "target": {
                    "mode": "merge",
                    "partition_by": None,
                    "keep": None,
                    "delete_missing": True,
                }
            },
            "would delete rows of the source",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused(job: Any, changes: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        load(job, **changes)


def test_a_name_in_backticks_gets_its_ending_inside_of_them(job: Any) -> None:
    target = load(job, source={"table": "store.`tx`"}).config.target
    assert (target.table, target.view) == ("store.`tx_predictions`", "store.`tx_scored`")
