"""Dry runs, snapshots, plans and replays where source or target is a table of Iceberg."""

from __future__ import annotations

from typing import Any

import pytest

import spark_infer as si
from spark_infer.errors import GateError


def replay(job: Any, run: str = "last", **key: str) -> Any:
    return si.ScoringJob.of_kept(job.folder / "job.yaml").replay(run, key, job.spark)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("mode", ["append", "merge", "overwrite"])
def test_a_dry_run_leaves_no_table_and_no_branch(job: Any, mode: str) -> None:
    target = {"mode": mode} | ({"partition_by": ["day"]} if mode == "overwrite" else {})
    report = job.load(target=target).run(job.spark, dry_run=True)
    assert (report.status, report.rows_in, report.rows_out) == ("dry-run", 3, 0)
    assert not job.spark.catalog.tableExists("ice.lake.scores")
    job.run(target=target)
    before = (job.scores(), job.snapshots(), job.branches())
    job.transactions("1 8 7.0", "4 9")
    job.load(target=target).run(job.spark, dry_run=True)
    assert (job.scores(), job.snapshots(), job.branches()) == before


def test_a_dry_run_whose_gate_stops_it_keeps_nothing(job: Any) -> None:
    job.run(target={"mode": "merge"})
    gate = [{"check": "rows", "min": 10, "action": "stop"}]
    with pytest.raises(GateError, match="rows is 3"):
        job.load(target={"mode": "merge"}, gate=gate).run(job.spark, dry_run=True)
    assert job.branches() == ["main"]


def test_a_source_has_a_snapshot(job: Any) -> None:
    job.spark.sql("CREATE TABLE ice.lake.tx USING iceberg AS SELECT * FROM store.tx")
    source, target = {"table": "ice.lake.tx"}, {"mode": "merge"}
    first = job.run(source=source, target=target)
    (part,) = first.snapshot
    assert part == {
        "kind": "iceberg",
        "place": "ice.lake.tx",
        "snapshot_id": str(job.snapshots("ice.lake.tx")[-1]),
    }
    assert job.run(source=source, target=target).snapshot == first.snapshot
    job.spark.sql("INSERT INTO ice.lake.tx VALUES (9, 9.0D, DATE'2018-08-09', 'EU')")
    (part,) = job.run(source=source, target=target).snapshot
    assert part["snapshot_id"] == str(job.snapshots("ice.lake.tx")[-1])
    assert part["snapshot_id"] != first.snapshot[0]["snapshot_id"]


def test_a_source_without_a_snapshot_yet(job: Any) -> None:
    job.spark.sql("CREATE TABLE ice.lake.tx (id INT, a DOUBLE, day DATE) USING iceberg")
    plan = job.load(source={"table": "ice.lake.tx"}, target={"mode": "merge"}).plan(job.spark)
    assert (plan.reads.num_files, plan.reads.num_bytes) == (None, None)


def test_a_plan_says_how_rows_are_published(job: Any) -> None:
    plan = job.load(target={"mode": "merge"}).plan(job.spark)
    assert plan.writer == "jvm: the table is written by SQL"
    assert plan.sql[1].startswith("CREATE TABLE `ice`.`lake`.`scores`")
    job.run(target={"mode": "merge"})
    plan = job.load(target={"mode": "merge"}).plan(job.spark)
    assert (plan.writer, plan.evaluations) == ("jvm: the table is one of Iceberg", 1)
    assert plan.sql[1] == (
        "CALL `ice`.system.fast_forward(table => '`ice`.`lake`.`scores`', branch => 'main', "
        "to => 'spark_infer_...')"
    )
    assert plan.replaces is None


def test_a_row_is_replayed(job: Any) -> None:
    job.run(target={"mode": "merge"})
    assert replay(job, id="2").is_equal
    job.transactions("2 8 5.0")
    found = replay(job, id="2")
    assert (found.verdict, found.sentence) == ("different", "score is 10 and was 4")


@pytest.mark.nightly
def test_a_source_of_iceberg_is_read_as_it_was(job: Any) -> None:
    job.spark.sql("CREATE TABLE ice.lake.tx USING iceberg AS SELECT * FROM store.tx")
    job.run(source={"table": "ice.lake.tx", "filter": "day = :date"}, target={"mode": "merge"})
    assert replay(job, id="2").is_equal
    job.spark.sql("UPDATE ice.lake.tx SET a = 50 WHERE id = 1")
    job.spark.sql("DELETE FROM ice.lake.tx WHERE id = 2")
    for row in ("1", "2"):
        found = replay(job, id=row)
        assert (found.verdict, found.predicted) == ("equal", {"score": 2.0 * int(row)})
    # Once the snapshot has expired, the table is read as it is.
    job.spark.sql(
        "CALL ice.system.expire_snapshots(table => 'lake.tx', retain_last => 1, "
        "older_than => TIMESTAMP '2999-01-01 00:00:00')"
    )
    found = replay(job, id="1")
    assert (found.verdict, found.sentence) == ("different", "score is 100 and was 2")
    assert replay(job, id="2").verdict == "not in source"
