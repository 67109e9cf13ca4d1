"""One row of a run, predicted again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError, GateError, WarehouseError

pytestmark = pytest.mark.one_spark


def replay(job: Any, run: str = "last", **key: str) -> Any:
    kept = si.ScoringJob.of_kept(job.folder / "job.yaml")
    return kept.replay(run, key, job.spark)


def test_a_row_is_predicted_as_it_was(job: Any) -> None:
    report = job.run()
    found = replay(job, report.run_id, id="2")
    assert (found.verdict, found.is_equal) == ("equal", True)
    assert (found.published, found.predicted) == ({"score": 2.0}, {"score": 2.0})
    assert (found.run_id, found.key, found.tolerance) == (report.run_id, {"id": "2"}, 1e-4)
    assert found.digest == report.bundle["digest"]
    assert job.spark.table("store.scores").count() == 2
    assert len([*(job.folder / "reports").glob("*Z-*.json")]) == 1


@pytest.mark.nightly
def test_the_parameters_are_those_of_the_run(job: Any) -> None:
    eighth = job.run()
    job.run({"date": "2018-08-09"})
    assert replay(job, eighth.run_id, id="1").verdict == "equal"
    assert replay(job, id="3").verdict == "equal"
    assert replay(job, id="1").verdict == "another run"


@pytest.mark.nightly
def test_a_row_of_another_run_says_of_which(job: Any) -> None:
    first, second = job.run(), job.run()
    found = replay(job, first.run_id, id="1")
    assert (found.verdict, found.is_equal) == ("another run", False)
    assert f"is by now of run {second.run_id}" in found.sentence
    assert replay(job, second.run_id, id="1").is_equal


@pytest.mark.nightly
def test_a_kept_column_that_changed_is_named(job: Any) -> None:
    job.run(target={"keep": ["day", "region"]})
    job.transactions("1 2018-08-08 US", "2 2018-08-08")
    same = replay(job, id="1")
    # What the model reads is as it was.
    assert (same.verdict, same.is_equal) == ("equal", True)
    assert list(same.notes) == ["region in the source is US and was EU"]
    job.spark.sql("CREATE OR REPLACE TEMP VIEW old AS SELECT * FROM store.tx")
    job.spark.sql("INSERT OVERWRITE store.tx VALUES (1, 7.0D, 0, DATE'2018-08-08', 'US')")
    found = replay(job, id="1")
    assert (found.verdict, found.is_equal) == ("source changed", False)
    assert found.sentence == "region in the source is US and was EU; score is 7 and was 1"


def test_kept_values_that_python_does_not_have(job: Any) -> None:
    features = {
        "far": "date_add(date'9999-12-31', id)",
        "first": "timestamp_micros(-9223372036854775808)",
        "numbers": "array(double('NaN'), id)",
        "span": "struct(date'-0005-01-01' AS day)",
    }
    job.run(target={"keep": ["day", *features]}, features=features)
    same = replay(job, id="1")
    assert (same.verdict, same.is_equal, list(same.notes)) == ("equal", True, [])
    job.run(target={"keep": ["day", *features]}, features=features | {"far": "date'9999-12-31'"})
    job.load(target={"keep": ["day", *features]}, features=features)
    notes = list(replay(job, id="1").notes)
    assert notes == ["far in the source is +10000-01-01 and was 9999-12-31"]


@pytest.mark.nightly
def test_a_feature_that_the_target_does_not_keep_may_have_changed(job: Any) -> None:
    job.run()
    job.spark.sql(
        "INSERT OVERWRITE store.tx VALUES (1, 1.0D, 5, DATE'2018-08-08', 'EU'), "
        "(2, 2.0D, 0, DATE'2018-08-08', 'EU')"
    )
    found = replay(job, id="1")
    assert (found.verdict, found.is_equal) == ("different", False)
    assert found.sentence == "score is 101 and was 1"
    assert (found.published, found.predicted) == ({"score": 1.0}, {"score": 101.0})
    assert "the source holds other files or another snapshot than in the run" in found.notes[0]
    assert replay(job, id="2").is_equal


def test_a_row_that_has_left_the_source(job: Any) -> None:
    job.run()
    job.transactions("2 2018-08-08", "1 2018-08-09")
    found = replay(job, id="1")
    assert (found.verdict, found.is_equal) == ("not in source", False)
    assert found.published == {"score": 1.0}


def test_a_row_that_is_not_in_the_target(job: Any) -> None:
    job.run()
    found = replay(job, id="9")
    assert (found.verdict, found.is_equal) == ("not in target", False)


def test_another_bundle_by_now(job: Any, tmp_path: Path) -> None:
    other = torch.nn.Linear(2, 1)
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "double_b"])], outputs=[si.Output("score")]
    )
    bundle = si.save_bundle(
        tmp_path / "other", other, signature=signature, features={"double_b": "b * 2"}
    )
    report = job.run()
    job.load(bundle={"path": str(bundle.path)})
    found = replay(job, id="1")
    assert (found.verdict, found.is_equal) == ("another bundle", False)
    assert bundle.digest[:12] in found.sentence
    assert report.bundle["digest"][:12] in found.sentence
    kept = si.ScoringJob.of_kept(
        job.folder / "job.yaml", settings={"bundle.path": report.bundle["path"]}
    )
    assert kept.replay("last", {"id": "1"}, job.spark).is_equal


def test_a_rejected_row(job: Any) -> None:
    job.spark.sql("INSERT INTO store.tx VALUES (4, NULL, 0, DATE'2018-08-08', 'EU')")
    job.run(batch={"max_rejected_share": 1.0})
    found = replay(job, id="4")
    assert (found.verdict, found.is_equal) == ("rejected", True)
    assert found.published == found.predicted == {"rejected_reason": "column 'a' is null"}
    job.transactions("4 2018-08-08", "1 2018-08-08")
    mended = replay(job, id="4")
    assert (mended.verdict, mended.is_equal) == ("rejected", False)
    assert mended.sentence.endswith("(column 'a' is null); now it gets a prediction")
    job.spark.sql("INSERT OVERWRITE store.tx VALUES (1, NULL, 0, DATE'2018-08-08', 'EU')")
    lost = replay(job, id="1")
    assert (lost.verdict, lost.is_equal) == ("different", False)
    assert lost.sentence == "the row is rejected now (column 'a' is null)"


@pytest.mark.nightly
def test_a_run_that_was_published_by_hand(job: Any) -> None:
    never = {"check": "range", "column": "score", "max": 0, "action": "stop"}
    with pytest.raises(GateError):
        job.run(gate=[never])
    with pytest.raises(ConfigError, match="has published nothing"):
        replay(job, id="1")
    kept = si.ScoringJob.of_kept(job.folder / "job.yaml")
    kept.publish(kept.report().run_id, job.spark)
    assert replay(job, id="1").is_equal


def test_a_dry_run_has_nothing_to_compare_with(job: Any) -> None:
    job.load().run(job.spark, dry_run=True)
    with pytest.raises(ConfigError, match=r"has published nothing \(it is dry-run"):
        replay(job, id="1")


def test_a_window_sees_all_rows(job: Any) -> None:
    job.run(features={"a": "sum(a) OVER (PARTITION BY day)"})
    found = replay(job, id="1")
    assert (found.verdict, found.predicted) == ("equal", {"score": 3.0})


@pytest.mark.nightly
def test_an_append_and_a_table_by_sql(job: Any, by_sql: None) -> None:
    job.run(target={"mode": "append"})
    job.run({"date": "2018-08-09"}, target={"mode": "append"})
    assert replay(job, id="3").is_equal


@pytest.mark.nightly
def test_a_table_that_spells_its_columns_otherwise(job: Any) -> None:
    job.spark.sql(
        "CREATE TABLE store.scores (ID INT, SCORE FLOAT, REJECTED_REASON STRING, BUNDLE_NAME "
        "STRING, BUNDLE_DIGEST STRING, RUN_ID STRING, SCORED_AT TIMESTAMP, DAY DATE) USING parquet "
        "PARTITIONED BY (DAY)"
    )
    job.run()
    assert replay(job, id="1").is_equal


def test_a_table_that_has_lost_a_column(job: Any) -> None:
    job.run()
    job.spark.sql("CREATE TABLE store.less USING parquet AS SELECT id, run_id FROM store.scores")
    job.spark.sql("DROP TABLE store.scores")
    job.spark.sql("ALTER TABLE store.less RENAME TO store.scores")
    with pytest.raises(WarehouseError, match=r"the target cannot be looked at.*`(day|score)`"):
        replay(job, id="1")


def test_a_key_that_stands_in_several_rows_by_now(job: Any) -> None:
    job.run()
    job.spark.sql("INSERT INTO store.tx VALUES (1, 5.0D, 0, DATE'2018-08-08', 'EU')")
    with pytest.raises(WarehouseError, match="the source has several rows with this key, of id=1"):
        replay(job, id="1")


def test_a_target_that_is_gone(job: Any) -> None:
    job.run()
    job.spark.sql("DROP TABLE store.scores")
    with pytest.raises(WarehouseError, match=r"store\.scores' is not there"):
        replay(job, id="1")


KEYS: list[tuple[str, str, str, str]] = [
    ("TINYINT", "7", "7", "+7"),
    ("BIGINT", "9007199254740993", "9007199254740993", "9007199254740992"),
    ("STRING", "'a''b'", "a'b", "a''b"),
    ("STRING", r"'1\' OR 1 = 1 --'", "1' OR 1 = 1 --", "1"),
    ("STRING", "'007'", "007", "7"),
    ("STRING", "''", "", " "),
    ("DATE", "DATE'2018-08-08'", "2018-08-08", "2018-08-09"),
    (
        "TIMESTAMP",
        "TIMESTAMP'2018-08-08T04:00:00.000001Z'",
        "2018-08-08T06:00:00.000001+02:00",
        "2018-08-08T06:00:00.000001",
    ),
    (
        "TIMESTAMP_NTZ",
        "TIMESTAMP_NTZ'2018-08-08T04:00:00'",
        "2018-08-08 04:00:00",
        "2018-08-08 04:00:01",
    ),
    ("BOOLEAN", "true", "true", "false"),
    ("DOUBLE", "0.1D", "0.1", "0.2"),
    ("FLOAT", "0.1F", "0.1", "0.2"),
    ("DECIMAL(10,2)", "1.50", "1.5", "1.51"),
    (
        "DECIMAL(38,0)",
        "12345678901234567890123",
        "12345678901234567890123",
        "12345678901234567890124",
    ),
    ("DECIMAL(4,2)", "10", "1E1", "10.01"),
    ("DECIMAL(4,2)", "0", "-0.000", "0.01"),
    ("BINARY", "X'00FF'", "00ff", "00fe"),
]


@pytest.mark.nightly_after(6)
@pytest.mark.parametrize(("kind", "literal", "text", "other"), KEYS)
def test_a_key_of_any_type(
    spark: SparkSession, kind: str, literal: str, text: str, other: str
) -> None:
    from spark_infer.spark.driver.session import active, own_session
    from spark_infer.warehouse.history.key import RowKey
    from spark_infer.warehouse.parameters.binding import BINDING

    own = own_session(spark, BINDING)
    with active(own):
        rows = own.sql(f"SELECT CAST({literal} AS {kind}) AS `a key`, 2 AS n")
        for value, count in ((text, 1), (other, 1 if kind == "TINYINT" else 0)):
            key = RowKey.of(["n", "a key"], {"a key": value, "n": "2"})
            assert key.rows(rows).count() == count


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("INT", "1 OR 1=1", "key 'k' must be a int such as 7, got '1 OR 1=1'"),
        ("INT", "1.0", "key 'k' must be a int such as 7"),
        ("INT", "", "key 'k' must be a int such as 7"),
        ("DATE", "2018-13-01", "key 'k' must be a date"),
        ("DATE", "yesterday", "key 'k' must be a date"),
        ("BOOLEAN", "maybe", "key 'k' must be a bool"),
        ("DOUBLE", "nan", "key 'k' must be a float"),
        ("DECIMAL(4,2)", "1.505", r"key 'k' must be a decimal\(4,2\) such as 0.01, got '1.505'"),
        ("DECIMAL(4,2)", "100", r"key 'k' must be a decimal\(4,2\)"),
        ("DECIMAL(4,2)", "1E2", r"key 'k' must be a decimal\(4,2\)"),
        ("DECIMAL(38,0)", "1" * 39, r"key 'k' must be a decimal\(38,0\)"),
        ("DECIMAL(4,2)", "x", r"key 'k' must be a decimal\(4,2\)"),
        ("DECIMAL(4,2)", "NaN", r"key 'k' must be a decimal\(4,2\)"),
        ("BINARY", "xyz", "key 'k' must be bytes in hexadecimal digits such as 0a1b, got 'xyz'"),
        ("ARRAY<INT>", "1", r"key 'k' is ARRAY<INT>, of which no value can be given as text"),
        ("TIMESTAMP_NTZ", "2018-08-08T04:00:00Z", "key 'k' must be a timestamp_ntz"),
    ],
)
def test_a_text_that_is_no_value_of_the_key(
    spark: SparkSession, kind: str, text: str, said: str
) -> None:
    from spark_infer.warehouse.history.key import RowKey

    rows = spark.createDataFrame([], f"k {kind}")
    with pytest.raises(ConfigError, match=said):
        RowKey.of(["k"], {"k": text}).rows(rows)


def test_a_composite_key(job: Any) -> None:
    job.run(key=["id", "day"], target={"keep": []})
    assert replay(job, id="1", day="2018-08-08").is_equal
    assert replay(job, id="1", day="2018-08-09").verdict == "not in target"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({}, r"the job's key is \['id'\], and 'id' has no value; give all of it \(--key id=...\)"),
        ({"ID": "1"}, r"'ID' is no column of the job's key; did you mean 'id'\? \(key: \['id'\]\)"),
        ({"id": "1", "day": "2018-08-08"}, "'day' is no column of the job's key"),
    ],
)
def test_a_wrong_key_is_said_before_spark_starts(job: Any, key: dict[str, str], said: str) -> None:
    report = job.run()
    kept = si.ScoringJob.of_kept(job.folder / "job.yaml")
    steps: list[str] = []
    with pytest.raises(ConfigError, match=said):
        kept.replay(report.run_id, key, None, steps.append)
    assert steps == []
