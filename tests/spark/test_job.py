"""A job from file to table, and everything that stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import (
    BundleError,
    ConfigError,
    SignatureError,
    SparkInferError,
    WarehouseError,
)

STEPS = ["bundle", "start", "source", "check", "load", "score", "keys", "write"]
TX = "id int, a double, b int, day date"


@pytest.fixture
def database(spark: SparkSession) -> Any:
    spark.sql("CREATE DATABASE IF NOT EXISTS bank")
    yield "bank"
    spark.sql("DROP DATABASE bank CASCADE")


@pytest.fixture
def transactions(spark: SparkSession, database: str) -> DataFrame:
    write_transactions(
        spark,
        "(1, 1.0D, 2, DATE'2018-08-07'), (2, 2.0D, 3, DATE'2018-08-08'), "
        "(3, NULL, 4, DATE'2018-08-08'), (4, 4.0D, 5, DATE'2018-08-09')",
    )
    return spark.table("bank.tx")


def write_transactions(spark: SparkSession, values: str) -> None:
    spark.sql("DROP TABLE IF EXISTS bank.tx")
    spark.sql(f"CREATE TABLE bank.tx ({TX}) USING parquet")
    spark.sql(f"INSERT INTO bank.tx VALUES {values}")


@pytest.fixture
def job_file(tmp_path: Path, linear: si.Bundle, transactions: DataFrame) -> Any:
    """Writes a job file; keyword arguments replace its keys, None removes one."""

    def write(**changes: Any) -> Path:
        job: dict[str, Any] = {
            "name": "nightly",
            "parameters": {"date": {"type": "date"}},
            "source": {"table": "bank.tx", "filter": "day = :date"},
            "key": ["id"],
            "bundle": {"path": str(linear.path)},
            "target": {"table": "bank.scores", "partition_by": ["day"], "keep": ["day"]},
            "report": {"path": str(tmp_path / "reports")},
        }
        job.update(changes)
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in job.items() if v is not None}))
        return path

    return write


def run(spark: SparkSession, path: Path, date: str = "2018-08-08", **settings: Any) -> Any:
    return si.ScoringJob.load(path, settings=settings, date=date).run(spark)


def scores(spark: SparkSession) -> list[tuple[Any, ...]]:
    rows = spark.sql("SELECT id, score, rejected_reason, string(day) FROM bank.scores ORDER BY id")
    return [tuple(row) for row in rows.collect()]


AUGUST_8 = [
    (2, 62.0, None, "2018-08-08"),
    (3, None, "column 'a' is null", "2018-08-08"),
]


def test_scores_one_day(spark: SparkSession, job_file: Any, linear: si.Bundle) -> None:
    report = run(spark, job_file())
    assert scores(spark) == AUGUST_8
    assert (report.rows_in, report.rows_out, report.rows_rejected) == (2, 2, 1)
    lineage = spark.sql(
        "SELECT DISTINCT bundle_name, bundle_digest, run_id, scored_at IS NOT NULL FROM bank.scores"
    ).collect()
    assert [tuple(row) for row in lineage] == [("linear", linear.digest, report.run_id, True)]


def test_the_report_is_written(spark: SparkSession, job_file: Any, tmp_path: Path) -> None:
    report = run(spark, job_file())
    (file,) = (tmp_path / "reports").glob("*.json")
    written = json.loads(file.read_text())
    assert written == json.loads(json.dumps(report.to_json()))
    assert written["parameters"] == {"date": "2018-08-08"}
    assert written["batches"]["num_rows"] == 2
    assert written["spark_application_id"] == spark.sparkContext.applicationId
    assert list(written["seconds"]) == STEPS


def test_another_day_keeps_the_first(spark: SparkSession, job_file: Any) -> None:
    run(spark, job_file())
    run(spark, job_file(), date="2018-08-09")
    assert scores(spark) == [*AUGUST_8, (4, 104.0, None, "2018-08-09")]


def test_the_same_day_twice_gives_the_same_table(spark: SparkSession, job_file: Any) -> None:
    run(spark, job_file())
    run(spark, job_file())
    assert scores(spark) == AUGUST_8


def test_corrected_rows_replace_the_old_scores(spark: SparkSession, job_file: Any) -> None:
    run(spark, job_file())
    write_transactions(spark, "(2, 3.0D, 3, DATE'2018-08-08')")
    run(spark, job_file())
    assert scores(spark) == [(2, 63.0, None, "2018-08-08")]


def test_append_adds_only_new_keys(spark: SparkSession, job_file: Any) -> None:
    target = {"table": "bank.scores", "mode": "append", "keep": ["day"]}
    run(spark, job_file(target=target))
    report = run(spark, job_file(target=target))
    assert (report.rows_in, report.rows_out) == (0, 0)
    assert scores(spark) == AUGUST_8


def test_features_see_the_read_rows_and_only_rows_are_scored(
    spark: SparkSession, job_file: Any
) -> None:
    path = job_file(
        source={"table": "bank.tx", "filter": "day <= :date"},
        rows="day = :date",
        features={"a": "CAST(sum(coalesce(a, 0)) OVER (ORDER BY id) AS DOUBLE)"},
    )
    run(spark, path)
    assert [row[:2] for row in scores(spark)] == [(2, 63.0), (3, 83.0)]


def test_the_bundle_features_see_the_read_rows_too(
    spark: SparkSession, job_file: Any, tmp_path: Path
) -> None:
    identity = torch.nn.Linear(1, 1)
    with torch.no_grad():
        identity.weight.fill_(1.0)
        identity.bias.zero_()
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["rank"])], outputs=[si.Output("score")]
    )
    features = {"rank": "CAST(row_number() OVER (ORDER BY id) AS FLOAT)"}
    bundle = tmp_path / "rank"
    si.save_bundle(bundle, identity, signature=signature, features=features)
    source = {"table": "bank.tx", "filter": "day <= :date"}
    run(spark, job_file(source=source, rows="day = :date", bundle={"path": str(bundle)}))
    assert [row[:2] for row in scores(spark)] == [(2, 2.0), (3, 3.0)]


def test_a_path_is_a_source(spark: SparkSession, job_file: Any, tmp_path: Path) -> None:
    spark.table("bank.tx").write.parquet(str(tmp_path / "tx"))
    run(spark, job_file(source={"path": str(tmp_path / "tx"), "filter": "day = :date"}))
    assert scores(spark) == AUGUST_8


def test_settings_win_over_environment_over_file(
    spark: SparkSession, job_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_INFER_SET_BATCH__BATCH_SIZE", "7")
    monkeypatch.setenv("SPARK_INFER_SET_DATE", "2018-08-09")
    job = si.ScoringJob.load(job_file(batch={"batch_size": 3}))
    assert (job.config.batch.batch_size, str(job.values["date"])) == (7, "2018-08-09")
    job = si.ScoringJob.load(job_file(), settings={"batch.batch_size": "1", "date": "2018-08-10"})
    assert (job.config.batch.batch_size, str(job.values["date"])) == (1, "2018-08-10")


WRONG: list[tuple[dict[str, Any], type[SparkInferError], str]] = [
    ({"source": {"table": "bank.missing"}}, WarehouseError, "bank.missing"),
    ({"source": {"path": "/no/such/path"}}, WarehouseError, "/no/such/path"),
    ({"source": {"table": "bank.tx", "filter": "dya = :date"}}, ConfigError, "source.filter"),
    ({"source": {"table": "bank.tx", "filter": "day = :dat"}}, ConfigError, "parameters: :date"),
    ({"rows": "day ="}, ConfigError, "rows"),
    ({"key": ["idd"]}, ConfigError, "did you mean 'id'"),
    ({"features": {"a": "string(a)"}}, SignatureError, "string does not fit"),
    ({"features": {"c": "nothing + 1"}}, SignatureError, "feature 'c'"),
    ({"features": {"c": "explode(array(1, 2))"}}, SignatureError, "changes the number of rows"),
    ({"features": {"c": "sum(a)"}}, SignatureError, "feature 'c' .*OVER"),
    ({"rows": "explode(array(true, true))"}, ConfigError, "rows"),
    ({"rows": "sum(a) > 1"}, ConfigError, "rows"),
    ({"bundle": {"path": "/no/bundle"}}, BundleError, "no such directory"),
    ({"target": {"table": "nobank.scores", "mode": "append"}}, WarehouseError, "CREATE DATABASE"),
]


@pytest.mark.parametrize(("changes", "kind", "message"), WRONG)
def test_wrong_input_stops_before_anything_is_written(
    spark: SparkSession,
    job_file: Any,
    changes: dict[str, Any],
    kind: type[SparkInferError],
    message: str,
) -> None:
    with pytest.raises(kind, match=message):
        run(spark, job_file(**changes))
    assert not spark.catalog.tableExists("bank.scores")


def test_another_bundle_than_the_pinned_one_is_refused(
    spark: SparkSession, job_file: Any, linear: si.Bundle
) -> None:
    pinned = {"path": str(linear.path), "digest": "0" * 64}
    with pytest.raises(BundleError, match=f"{linear.digest}, and {'0' * 64} is asked for"):
        run(spark, job_file(bundle=pinned))
    assert not spark.catalog.tableExists("bank.scores")
    run(spark, job_file(bundle={**pinned, "digest": linear.digest}))
    assert scores(spark) == AUGUST_8


def test_the_report_gives_times_with_their_offset(spark: SparkSession, job_file: Any) -> None:
    path = job_file(
        parameters={"date": {"type": "date"}, "t": {"type": "timestamp"}},
        source={"table": "bank.tx", "filter": "day = :date AND day <= :t"},
    )
    assert run(spark, path, t="2018-08-08 05:00").parameters["t"] == "2018-08-08 05:00:00+00:00"
    given = run(spark, path, t="2018-08-08T05:00-03:30").parameters["t"]
    assert given == "2018-08-08 05:00:00-03:30"


def test_keys_are_shown_in_the_zone_of_the_session(spark: SparkSession, job_file: Any) -> None:
    features = {"hour": "timestamp_seconds(1533697200)"}
    with pytest.raises(WarehouseError, match="hour=2018-08-08 03:00:00: 2 row"):
        run(spark, job_file(key=["hour"], features=features))


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("(1, 1.0D, 1, DATE'2018-08-08'), (1, 2.0D, 2, DATE'2018-08-08')", "id=1: 2 row"),
        ("(NULL, 1.0D, 1, DATE'2018-08-08')", "id=None: 1 row"),
    ],
)
def test_keys_must_identify_the_rows(
    spark: SparkSession, job_file: Any, values: str, message: str
) -> None:
    path = job_file()
    run(spark, path)
    before = spark.table("bank.scores").localCheckpoint()
    write_transactions(spark, values)
    with pytest.raises(WarehouseError, match=message):
        run(spark, path)
    assert_df_equality(spark.table("bank.scores"), before, ignore_row_order=True)


def test_a_target_with_other_columns_is_refused(spark: SparkSession, job_file: Any) -> None:
    spark.sql("CREATE TABLE bank.scores (id int, score string, day date) USING parquet")
    with pytest.raises(WarehouseError, match="'score' is string, not float"):
        run(spark, job_file())
    assert spark.table("bank.scores").count() == 0


def test_a_target_with_other_partitions_is_refused(spark: SparkSession, job_file: Any) -> None:
    run(spark, job_file())
    path = job_file(target={"table": "bank.scores", "mode": "append", "keep": ["day"]})
    with pytest.raises(WarehouseError, match="partitioned by"):
        run(spark, path)


def test_a_failure_while_scoring_leaves_the_target_as_it_was(
    spark: SparkSession, job_file: Any
) -> None:
    run(spark, job_file())
    before = scores(spark)
    path = job_file(features={"a": "if(id = 3, double(raise_error('broken')), a)"})
    with pytest.raises(WarehouseError, match="target is as it was"):
        run(spark, path)
    assert scores(spark) == before


def test_a_failure_of_the_first_run_leaves_no_table(spark: SparkSession, job_file: Any) -> None:
    path = job_file(features={"a": "if(id = 3, double(raise_error('broken')), a)"})
    with pytest.raises(WarehouseError, match="target is as it was"):
        run(spark, path)
    assert not spark.catalog.tableExists("bank.scores")
    run(spark, job_file())
    assert scores(spark) == AUGUST_8
