"""Rows that got no prediction go to a table of their own, and leave it when they are fixed."""

from __future__ import annotations

import json
from typing import Any

import pytest

import spark_infer as si
from spark_infer.bundle.cache.locks import claimed
from spark_infer.errors import ConfigError, SparkInferError, TooManyRejects, WarehouseError
from spark_infer.spark.features import Featured
from spark_infer.spark.names import Names
from spark_infer.warehouse.quarantine.quarantine import Quarantine
from spark_infer.warehouse.quarantine.values import ModelValues
from spark_infer.warehouse.sinks.files.file_table import FileTable

pytestmark = pytest.mark.one_spark
ALLOWED: dict[str, Any] = {
    "incremental": None,
    "quarantine": {"table": "store.rejects"},
    "batch": {"max_rejected_share": 1},
}
ONE_DAY = {"source": {"table": "store.tx", "filter": "day = :date"}}
APPEND = {"target": {"mode": "append", "partition_by": []}}


def rejects(job: Any) -> list[tuple[int, int]]:
    return job.rows("id, day(day)", "rejects")


def test_a_row_stands_there_with_key_reason_and_the_values_that_the_model_reads(job: Any) -> None:
    job.transactions("1 1 0 8 EU", "2 NULL 3 8 US")
    report = job.run(**ALLOWED)
    assert (report.rows_out, report.rows_rejected, report.rows_quarantined) == (2, 1, 1)
    ((row),) = job.spark.table("store.rejects").collect()
    found = row.asDict()
    assert (found["job"], found["id"], str(found["day"]), found["region"]) == (
        "target",
        2,
        "2018-08-08",
        "US",
    )
    assert (found["reason_stage"], found["reason_kind"]) == ("input", "null")
    assert found["rejected_reason"] == "column 'a' is null"
    assert json.loads(found["model_values"]) == {"a": None, "double_b": 6}
    assert (found["run_id"], found["bundle_digest"]) == (report.run_id, report.bundle["digest"])


def test_nothing_is_made_where_no_row_is_rejected(job: Any) -> None:
    assert job.run(**ALLOWED).rows_quarantined == 0
    assert not job.spark.catalog.tableExists("store.rejects")


def test_rows_that_are_fixed_leave_it_and_those_of_other_days_stay(job: Any) -> None:
    job.transactions("1 NULL 0 8 EU", "2 NULL 0 8 EU", "3 NULL 0 9 EU")
    job.run(**ALLOWED)
    assert rejects(job) == [(1, 8), (2, 8), (3, 9)]
    job.transactions("1 1 0 8 EU", "2 NULL 0 8 EU", "3 3 0 9 EU")
    assert job.run(**ALLOWED, **ONE_DAY).rows_quarantined == 1
    assert rejects(job) == [(2, 8), (3, 9)]
    job.transactions("2 2 0 8 EU")
    job.run(**ALLOWED, **ONE_DAY)
    assert rejects(job) == [(3, 9)]


@pytest.mark.nightly
def test_a_day_that_has_lost_its_rows_is_emptied(job: Any) -> None:
    job.transactions("1 NULL 0 8 EU", "3 NULL 0 9 EU")
    job.run(**ALLOWED)
    job.transactions("3 NULL 0 9 EU")
    job.run(**ALLOWED, **ONE_DAY)
    assert rejects(job) == [(3, 9)]


@pytest.mark.nightly
def test_it_holds_what_an_incremental_run_rejects(job: Any) -> None:
    changes = ALLOWED | {"incremental": {"by": "content"}}
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU", "3 NULL 0 9 EU")
    job.run(**changes)
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 NULL 0 9 EU")
    report = job.run(**changes)
    assert (report.rows_in, report.rows_carried, report.rows_quarantined) == (2, 1, 1)
    assert rejects(job) == [(3, 9)]


@pytest.mark.nightly
def test_an_append_adds_to_it(job: Any) -> None:
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU")
    job.run(**ALLOWED, **APPEND)
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 NULL 0 9 EU")
    assert job.run(**ALLOWED, **APPEND).rows_quarantined == 1
    assert rejects(job) == [(1, 8), (3, 9)]
    assert job.run(**ALLOWED, **APPEND).rows_quarantined == 0
    assert rejects(job) == [(1, 8), (3, 9)]


@pytest.mark.nightly
def test_jobs_share_it(job: Any) -> None:
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU")
    job.run(**ALLOWED)
    job.config["target"] = {**job.config["target"], "table": "store.others"}
    job.run(**ALLOWED, name="other/2".replace("/", "-"))
    found = job.rows("job, id", "rejects")
    assert found == [("other-2", 1), ("target", 1)]


@pytest.mark.nightly
def test_a_run_that_ends_between_the_two_is_repaired_by_the_next(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU")
    job.run(**ALLOWED)
    job.transactions("1 1 0 8 EU", "2 NULL 0 8 EU")
    publish = FileTable.publish

    def killed(self: FileTable, *arguments: Any) -> Any:
        if self._target.config.table == "store.scores":
            raise KeyboardInterrupt
        return publish(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(FileTable, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            job.run(**ALLOWED)
    assert job.rows("id, score") == [(1, None), (2, 2.0)]
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU")
    job.run(**ALLOWED)
    assert rejects(job) == []
    assert job.rows("id, score") == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly
def test_a_row_that_was_never_published_leaves_it_where_its_day_is_left_alone(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ALLOWED | {"incremental": {"by": "content"}}
    job.run(**changes)
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU", "3 3 0 9 EU")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    publish = FileTable.publish

    def first(self: FileTable, *arguments: Any) -> Any:
        is_target = self._target.config.table == "store.scores"
        return killed() if is_target else publish(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(FileTable, "publish", first)
        with pytest.raises(KeyboardInterrupt):
            job.run(**changes)
    assert rejects(job) == [(1, 8)]
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 3 0 9 EU")
    assert job.counts(**changes) == (0, 3, 0, 0)
    assert rejects(job) == []


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_texts_that_are_padded_stand_there_as_such(job: Any, mode: str) -> None:
    spark = job.spark
    spark.sql("DROP TABLE store.tx")
    columns = "id CHAR(4), a DOUBLE, b INT, day DATE, region VARCHAR(4)"
    spark.sql(f"CREATE TABLE store.tx ({columns}) USING parquet")
    changes = ALLOWED | {"target": {"mode": mode}}
    for number in (1, 2):
        spark.sql(f"INSERT INTO store.tx VALUES ('{number}', NULL, 0, DATE'2018-08-08', 'EU')")
        job.run(**changes)
    expected = [("1   ", "EU"), ("2   ", "EU")]
    assert job.rows("id, region", "rejects") == job.rows("id, region") == expected


@pytest.mark.nightly
def test_one_run_at_a_time_writes_it(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write, held = Quarantine._write, []

    def looked_at(self: Quarantine, *arguments: Any) -> None:
        folder = job.location("rejects")
        with claimed(folder.parent / ".rejects.quarantine.spark_infer.lock") as is_free:
            held.append(not is_free)
        write(self, *arguments)

    monkeypatch.setattr(Quarantine, "_write", looked_at)
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU")
    job.run(**ALLOWED)
    assert held == [True]


@pytest.mark.nightly
def test_values_of_windows_are_those_over_all_rows(job: Any) -> None:
    window = "OVER (PARTITION BY region)"
    features = {"a": f"if(id = 2, NULL, sum(a) {window})", "b": f"cast(sum(b) {window} AS INT)"}
    job.transactions("1 1 1 8 EU", "2 2 2 8 EU", "3 3 4 8 US")
    job.run(features=features, **ALLOWED)
    (row,) = job.spark.table("store.rejects").collect()
    assert json.loads(row["model_values"]) == {"a": None, "double_b": 6}


@pytest.mark.parametrize(
    ("windows", "cut"),
    [
        ({"a": "region", "double_b": "region, day"}, ["region"]),
        ({"a": "region", "double_b": "day"}, []),
        ({"a": "upper(region)", "double_b": "region"}, []),
    ],
)
def test_rows_are_read_that_stand_in_a_window_with_a_rejected_one(
    job: Any, linear: si.Bundle, windows: dict[str, str], cut: list[str]
) -> None:
    sums = (f"sum(a) OVER (PARTITION BY {by}) AS {name}" for name, by in windows.items())
    rows = job.spark.table("store.tx").selectExpr("id", "day", "region", *sums)
    values = ModelValues(Featured(rows, {}), linear.signature, ["id"], Names(case_sensitive=False))
    found = values.of(job.spark.sql("SELECT 2 AS id"), 1, "model_values")
    assert [json.loads(row[1]) for row in found.collect()] == [
        {"a": 6.0, "double_b": 3.0 if "day" in windows["double_b"] else 6.0}
    ]
    plan = found._jdf.queryExecution().optimizedPlan().toString()
    assert ("LeftSemi" in plan.partition("Window")[2]) == bool(cut)


def test_a_quarantine_that_cannot_be_written_leaves_the_target_as_it_was(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.run(**ALLOWED)
    job.transactions("1 NULL 0 8 EU", "2 5 0 8 EU", "3 3 0 9 EU")
    monkeypatch.setattr(Quarantine, "_write", _full)
    with pytest.raises(WarehouseError, match="disk"):
        job.run(**ALLOWED)
    assert [row[2] for row in job.rows()] == [1.0, 2.0, 3.0]


def _full(*_: Any) -> None:
    raise WarehouseError("the disk is full")


@pytest.mark.nightly
def test_a_table_that_was_dropped_is_made_again(job: Any) -> None:
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU")
    job.run(**ALLOWED)
    job.spark.sql("DROP TABLE store.rejects")
    assert job.run(**ALLOWED).rows_quarantined == 1
    assert rejects(job) == [(1, 8)]


@pytest.mark.parametrize(
    ("definition", "table", "kind", "message"),
    [
        ("TABLE store.rejects (id INT) USING parquet", None, WarehouseError, "has other columns"),
        ("VIEW store.rejects AS SELECT 1 AS id", None, WarehouseError, "is a view"),
        (None, "store.scores", WarehouseError, "is the target; name another"),
        (None, "store.SCORES", WarehouseError, "is the target; name another"),
        (None, "nowhere.rejects", WarehouseError, "CREATE DATABASE nowhere"),
        (None, "a b.c", ConfigError, "must be"),
    ],
)
def test_another_shape_is_refused_before_a_row_is_read(
    job: Any,
    definition: str | None,
    table: str | None,
    kind: type[SparkInferError],
    message: str,
) -> None:
    if definition is not None:
        job.spark.sql(f"CREATE {definition}")
    broken = {"table": "store.tx", "filter": "day = :date AND raise_error('read') IS NULL"}
    changes = ALLOWED | {"quarantine": {"table": table or "store.rejects"}}
    with pytest.raises(kind, match=f"quarantine.table .*{message}"):
        job.run(source=broken, **changes)


def test_the_limits(job: Any) -> None:
    rows = [f"{n} {'NULL' if n < 40 else n} 0 8 EU" for n in range(100)]
    job.transactions(*rows)
    with pytest.raises(TooManyRejects, match=r"40 of 100 rows.*at most 5.00% may"):
        job.run(incremental=None)
    limited = ALLOWED | {"quarantine": {"table": "store.rejects", "max_rows": 39}}
    with pytest.raises(TooManyRejects, match=r"at most 39 may.*raise quarantine.max_rows"):
        job.run(**limited)
    assert not job.spark.catalog.tableExists("store.rejects")
    limited["quarantine"]["max_rows"] = 40
    assert job.run(**limited).rows_quarantined == 40


@pytest.mark.nightly
def test_a_run_that_the_gate_stops_writes_it_when_it_is_published(job: Any) -> None:
    job.transactions("1 NULL 0 8 EU", "2 2 0 8 EU")
    gate = [{"check": "rejects", "max": 0}]
    loaded = job.load(**ALLOWED, gate=gate)
    with pytest.raises(WarehouseError, match="the gate has stopped run") as found:
        loaded.run(job.spark)
    assert not job.spark.catalog.tableExists("store.rejects")
    run_id = str(found.value).split("stopped run ")[1].split(",")[0]
    loaded.publish(run_id, job.spark)
    assert rejects(job) == [(1, 8)]
