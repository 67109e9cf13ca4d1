"""New and changed rows are scored, the others are carried over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError, TooManyRejects, WarehouseError
from spark_infer.warehouse.ledger.kept_rows import KeptRows

pytestmark = pytest.mark.one_spark
FIRST = [(1, 8, 1.0), (2, 8, 2.0), (3, 9, 3.0)]


def test_only_new_and_changed_rows_are_scored(job: Any) -> None:
    assert job.counts() == (3, 0, 0, 3)
    assert job.rows() == FIRST
    before = job.rows("id, scored_at, bundle_digest, content_hash")
    job.transactions("1 1 0 8 EU", "2 5 0 8 EU", "3 3 0 9 EU", "4 4 1 9 EU")
    assert job.counts() == (2, 2, 2, 4)
    assert job.rows() == [(1, 8, 1.0), (2, 8, 5.0), (3, 9, 3.0), (4, 9, 24.0)]
    after = job.rows("id, scored_at, bundle_digest, content_hash")
    assert [after[0], after[2]] == [before[0], before[2]]
    assert after[1] != before[1]


def test_a_night_without_a_change_touches_no_file(job: Any) -> None:
    job.run()
    before, files = job.rows("*"), job.files()
    assert job.counts() == (0, 3, 0, 0)
    assert job.rows("*") == before
    assert job.files() == files


def test_the_active_session_of_the_process_stays(job: Any) -> None:
    before = SparkSession.getActiveSession()
    source = {"table": "store.tx", "filter": "day = DATE'2018-08-08'"}
    for _ in range(2):
        job.run(source=source)
        assert job.load(source=source).plan(job.spark).replaces == ["day=2018-08-08"]
        assert SparkSession.getActiveSession() is before
        job.transactions("1 1 0 8 EU", "2 5 0 8 EU")


def test_partitions_of_which_no_row_has_changed_are_left_alone(job: Any) -> None:
    target = {"partition_by": ["day", "region"]}
    source = {"table": "store.tx", "filter": "day <= DATE'2018-08-09'"}
    job.transactions("1 1 0 8 EU", "2 2 0 8 US", "3 3 0 9 EU", "4 4 0 9 US", "5 5 0 9 US")
    job.run(target=target, source=source)
    runs = dict(job.rows("id, run_id"))
    job.transactions("1 1 0 8 EU", "3 3 0 9 EU", "4 4 0 9 US", "5 6 0 9 US")
    assert job.counts(target=target, source=source) == (1, 3, 1, 2)
    assert job.rows("id, score") == [(1, 1.0), (3, 3.0), (4, 4.0), (5, 6.0)]
    after = dict(job.rows("id, run_id"))
    assert {n for n, run in after.items() if run == runs[n]} == {1, 3}


@pytest.mark.nightly
def test_all_is_carried_over_where_too_many_partitions_have_changed(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 3 0 9 EU", "4 4 0 10 EU")
    job.run()
    monkeypatch.setattr("spark_infer.warehouse.ledger.ledger.MAX_NAMED", 1)
    job.transactions("1 5 0 8 EU", "2 2 0 8 EU", "3 5 0 9 EU", "4 4 0 10 EU")
    assert job.counts() == (2, 2, 2, 4)
    # Of one day, the others are not looked at, nor are they changed.
    job.transactions("1 6 0 8 EU", "2 2 0 8 EU")
    assert job.counts(source={"table": "store.tx", "filter": "day = :date"}) == (1, 1, 1, 2)
    assert job.rows() == [(1, 8, 6.0), (2, 8, 2.0), (3, 9, 5.0), (4, 10, 4.0)]


@pytest.mark.nightly
def test_names_that_differ_in_case_alone_and_features_of_the_bundle_are_kept(job: Any) -> None:
    sensitive = {
        "features": {"Region": "upper(region)"},
        "target": {"keep": ["day", "region", "Region", "double_b"]},
        "spark": {"spark.sql.caseSensitive": "true"},
    }
    job.run(**sensitive)
    job.transactions("1 1 0 8 eu", "2 5 0 8 EU", "3 3 0 9 EU")
    # Row 1 has another region, and row 3 stands in a day of its own.
    assert job.counts(**sensitive) == (1, 2, 1, 2)
    job.spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        found = job.rows("id, region, Region, double_b, score")
    finally:
        job.spark.conf.set("spark.sql.caseSensitive", "false")
    assert found == [(1, "eu", "EU", 0, 1.0), (2, "EU", "EU", 0, 5.0), (3, "EU", "EU", 0, 3.0)]


@pytest.mark.nightly
def test_what_the_model_does_not_read_is_the_sources_and_does_not_count(job: Any) -> None:
    job.run()
    job.transactions("1 1 0 8 US", "2 2 0 8 EU", "3 3 0 9 EU")
    assert job.counts() == (0, 3, 2, 2)
    assert job.rows("id, region") == [(1, "US"), (2, "EU"), (3, "EU")]
    # What is not kept either does not have a partition written.
    target = {"keep": ["day"], "table": "store.others"}
    job.run(target=target)
    job.transactions("1 1 0 8 JP", "2 2 0 8 JP", "3 3 0 9 JP")
    assert job.counts(target=target) == (0, 3, 0, 0)


@pytest.mark.nightly
def test_features_count_as_the_model_reads_them(job: Any) -> None:
    features = {"a": "round(a)"}
    job.run(features=features)
    job.transactions("1 1.2 0 8 EU", "2 2 0 8 EU", "3 4.1 0 9 EU")
    assert job.counts(features=features)[:2] == (1, 2)
    assert job.rows() == [(1, 8, 1.0), (2, 8, 2.0), (3, 9, 4.0)]


def test_rows_that_another_bundle_has_scored_are_scored_again(job: Any, tmp_path: Path) -> None:
    job.run()
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0, 0.0]]))
        model.bias.zero_()
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("score")]
    )
    other = si.save_bundle(tmp_path / "other", model, signature=signature)
    assert job.counts(bundle={"path": str(other.path)})[:2] == (3, 0)
    assert [row[2] for row in job.rows()] == [2.0, 4.0, 6.0]
    assert job.counts(bundle={"path": str(other.path)})[:2] == (0, 3)


def test_rows_that_moved_to_another_partition_leave_the_old_one(job: Any) -> None:
    job.run()
    job.transactions("1 1 0 8 EU", "2 2 0 9 EU", "3 3 0 9 EU")
    assert job.counts()[:2] == (1, 2)
    assert job.rows() == [(1, 8, 1.0), (2, 9, 2.0), (3, 9, 3.0)]


@pytest.mark.nightly
def test_one_key_in_two_partitions_is_two_rows(job: Any) -> None:
    day = {"source": {"table": "store.tx", "filter": "day = :date"}}
    job.transactions("1 1 0 8 EU", "1 7 0 9 EU")
    job.run(**day)
    job.run(settings={"date": "2018-08-09"}, **day)
    assert job.counts(**day) == (0, 1, 0, 0)
    assert job.rows() == [(1, 8, 1.0), (1, 9, 7.0)]


def test_a_run_of_one_day_leaves_the_others_alone(job: Any) -> None:
    job.run()
    job.transactions("1 9 0 8 EU", "3 9 0 9 EU")
    report = job.counts(source={"table": "store.tx", "filter": "day = :date"})
    assert report == (1, 0, 0, 1)
    assert job.rows() == [(1, 8, 9.0), (3, 9, 3.0)]


@pytest.mark.nightly
def test_a_day_that_has_lost_its_rows_is_emptied(job: Any) -> None:
    job.run()
    job.transactions("3 3 0 9 EU")
    source = {"table": "store.tx", "filter": "day <= DATE'2018-08-09'"}
    assert job.counts(source=source) == (0, 1, 0, 0)
    assert job.rows() == [(3, 9, 3.0)]


@pytest.mark.nightly
def test_rows_without_a_prediction_are_tried_again(job: Any) -> None:
    batch = {"max_rejected_share": 1}
    job.transactions("1 1 0 8 EU", "2 NULL 0 8 EU")
    assert job.counts(batch=batch)[:2] == (2, 0)
    assert job.counts(batch=batch)[:2] == (1, 1)
    assert job.rows("id, rejected_reason") == [(1, None), (2, "column 'a' is null")]


@pytest.mark.nightly
def test_the_limit_of_rejects_is_a_share_of_what_is_scored(job: Any) -> None:
    rows = [f"{n} {n} 0 8 EU" for n in range(100)]
    job.transactions(*rows)
    job.run()
    job.transactions(*rows, *(f"{n} NULL 0 8 EU" for n in range(100, 103)))
    # Three of 103 would be less than 5 %.
    with pytest.raises(TooManyRejects, match="3 of 3 rows got no prediction"):
        job.run()
    assert len(job.rows()) == 100


@pytest.mark.nightly
def test_rows_that_were_rejected_before_do_not_count_as_the_nights(job: Any) -> None:
    rows = [f"{n} {'NULL' if n < 3 else n} 0 8 EU" for n in range(100)]
    job.transactions(*rows)
    job.run()
    rows[50] = "50 7 0 8 EU"
    job.transactions(*rows)
    assert job.counts() == (4, 96, 96, 100)
    # Those are of other values now.
    rows[:2] = ["0 NULL 1 8 EU", "1 NULL 1 8 EU"]
    job.transactions(*rows)
    none = r"2 of 2 rows got no prediction \(beside 1 that had none before\)"
    with pytest.raises(TooManyRejects, match=none):
        job.run()
    # A run of everything counts them all.
    with pytest.raises(TooManyRejects, match="3 of 100 rows got no prediction"):
        job.run(incremental={"by": "full"}, batch={"max_rejected_share": 0.02})


@pytest.mark.nightly
def test_a_null_key_is_refused(job: Any) -> None:
    job.run()
    job.transactions("NULL 1 0 8 EU", "2 2 0 8 EU")
    with pytest.raises(WarehouseError, match="1 hold a null"):
        job.run()
    assert job.rows() == FIRST


@pytest.mark.nightly
def test_a_repeated_key_is_refused(job: Any) -> None:
    job.run()
    # As it was, and with another value: of rows that are not scored as well.
    for row in ("1 1 0 8 EU", "1 5 0 8 EU"):
        job.transactions(row, row, "2 2 0 8 EU")
        with pytest.raises(WarehouseError, match="does not identify the rows"):
            job.run()
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 3 0 9 EU", "1 1 0 10 EU")
    with pytest.raises(WarehouseError, match="does not identify the rows"):
        job.run()
    assert job.rows() == FIRST


@pytest.mark.nightly
def test_hashes_that_are_damaged_or_of_another_version_have_rows_scored(
    job: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"{n} {n} 0 {8 + n % 2} EU" for n in range(1, 7)]
    job.transactions(*rows)
    job.run()
    wanted = job.rows()
    damage = (
        "CASE id WHEN 1 THEN NULL WHEN 2 THEN '' WHEN 3 THEN 'nonsense' "
        "WHEN 4 THEN concat('2', substring(content_hash, 2)) "
        "WHEN 5 THEN concat('1:0', substring(content_hash, 3)) ELSE content_hash END"
    )
    others = "id, region, score, rejected_reason, bundle_name, bundle_digest, run_id, scored_at"
    job.spark.sql(
        f"CREATE TABLE store.copy USING parquet AS SELECT {others}, {damage} AS hash, day "
        "FROM store.scores"
    )
    job.spark.sql(
        "INSERT OVERWRITE store.scores SELECT id, region, hash, score, rejected_reason, "
        "bundle_name, bundle_digest, run_id, scored_at, day FROM store.copy"
    )
    assert job.counts()[:2] == (5, 1)
    assert "3 rows of target table store.scores have a content_hash that is damaged" in caplog.text
    assert job.rows() == wanted
    assert job.counts() == (0, 6, 0, 0)


@pytest.mark.nightly
def test_one_run_of_everything(job: Any) -> None:
    job.run()
    assert job.counts(settings={"incremental.by": "full"}) == (3, None, None, 3)
    assert job.rows() == FIRST
    assert job.counts()[:2] == (0, 3)


@pytest.mark.nightly
def test_a_table_that_was_written_without_is_told_what_to_do(job: Any) -> None:
    job.run(incremental=None)
    with pytest.raises(WarehouseError, match=r"no column content_hash.*ALTER TABLE") as found:
        job.run()
    statement = str(found.value).split("; ")[1].split(", and")[0]
    job.spark.sql(statement)
    assert job.counts() == (3, 0, 0, 3)
    assert job.counts() == (0, 3, 0, 0)
    assert job.rows() == FIRST


def test_a_source_with_a_column_of_that_name_is_refused(job: Any) -> None:
    with pytest.raises(ConfigError, match="the source has a column 'content_hash', which"):
        job.run(features={"Content_Hash": "1"})


def test_a_table_that_is_written_by_sql_is_refused(job: Any) -> None:
    with pytest.raises(WarehouseError, match="written by INSERT, which cannot carry rows over"):
        job.run(target={"format": "avro"})


def test_a_plan_reads_nothing_and_says_what_is_written(job: Any) -> None:
    job.run()
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    plan = job.load(source=broken).plan(job.spark)
    assert "content_hash STRING" in plan.columns


@pytest.mark.nightly
def test_the_gate_sees_what_the_table_will_hold(job: Any) -> None:
    gate = [{"check": "sql", "name": "sum", "expression": "sum(score) = 6"}]
    assert job.counts(gate=gate)[0] == 3
    assert job.counts(gate=gate) == (0, 3, 3, 3)


@pytest.mark.nightly
@pytest.mark.parametrize("gone", [None, "keep"])
def test_rows_that_are_lost_between_comparing_and_staging_stop_the_run(
    job: Any, gone: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    incremental = {"by": "content", **({} if gone is None else {"gone": gone})}
    job.run(incremental=incremental)
    job.transactions("1 1 0 8 EU", "2 5 0 8 EU")
    carried = KeptRows.carried

    def without_one(self: KeptRows, *arguments: Any) -> Any:
        # As where another run, of another bundle, has written the table meanwhile.
        return carried(self, *arguments).where("id <> 1")

    with monkeypatch.context() as patched:
        patched.setattr(KeptRows, "carried", without_one)
        with pytest.raises(WarehouseError, match="1 rows of the source are neither") as found:
            job.run(incremental=incremental)
    assert found.value.transient
    assert job.rows() == FIRST
    job.run(incremental=incremental)
    assert [row[0] for row in job.rows()][:2] == [1, 2]
