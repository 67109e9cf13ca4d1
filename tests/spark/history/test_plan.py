"""A plan is made of metadata and a sample, and tells figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.cli import render
from spark_infer.errors import ConfigError
from spark_infer.report.plan import Expected
from spark_infer.spark.scan.explain import evaluations

pytestmark = pytest.mark.one_spark


def plan(job: Any, settings: dict[str, Any] | None = None, **changes: Any) -> Any:
    sample = changes.pop("sample_rows", 2_000)
    return job.load(settings, **changes).plan(job.spark, sample_rows=sample)


def test_before_the_first_run_a_sample_tells(job: Any) -> None:
    found = plan(job)
    assert found.reads.rows == 3
    assert found.reads.rows_from == "estimated by some of the files"
    assert (found.reads.num_files, found.reads.num_partitions) == (3, None)
    assert found.reads.num_bytes > 0
    assert found.expected.rows_per_second > 0
    assert found.expected.seconds == round(3 / found.expected.rows_per_second, 1)
    assert found.expected.taken_from.startswith("by a sample of 2 rows, for ")
    assert (found.mode, found.writes, found.replaces) == ("overwrite", "it is created", None)
    assert (found.writer, found.evaluations) == ("workers", 1)
    assert found.sql == (
        "SELECT `id`, `day`, `a`, `double_b` FROM (SELECT *, b * 2 AS `double_b` FROM "
        "(SELECT * FROM store.tx WHERE (day = :date)))",
        "CREATE TABLE `spark_catalog`.`store`.`scores` USING parquet PARTITIONED BY (`day`)",
    )
    assert not job.spark.catalog.tableExists("store.scores")
    assert [path.name for path in job.location().parent.iterdir()] == ["tx"]
    assert not [*(job.folder / "reports").glob("*Z-*")]


def test_without_a_sample_no_row_is_read(job: Any) -> None:
    found = plan(job, sample_rows=0)
    assert (found.expected.seconds, found.expected.taken_from) == (None, "")
    assert str(found.expected) == "unknown: there is no earlier run, and no sample was taken"
    for wrong in (-1, True, "3"):
        with pytest.raises(ConfigError, match="sample_rows must be 0 or more"):
            plan(job, sample_rows=wrong)


@pytest.mark.nightly
def test_earlier_runs_tell_how_long_it_takes(job: Any) -> None:
    reports = [job.run(), job.run({"date": "2018-08-09"})]
    job.load().run(job.spark, dry_run=True)
    found = plan(job)
    assert found.expected.taken_from == "as the last 2 runs"
    speeds = [report.rows_per_second for report in reports]
    assert min(speeds) <= found.expected.rows_per_second <= max(speeds)
    # As many rows for each byte as in the last run.
    assert found.reads.rows == reports[1].rows_in == 1
    one, other = (report.seconds["score"] / report.rows_in for report in reports)
    others = sum(
        report.seconds[name] / 2 for report in reports for name in report.seconds if name != "score"
    )
    assert found.expected.seconds == pytest.approx(others + (one + other) / 2, abs=0.1)


@pytest.mark.nightly
def test_partitions_that_would_be_replaced_are_named(job: Any) -> None:
    for date in ("2018-08-08", "2018-08-09"):
        job.run({"date": date})
    found = plan(job)
    assert list(found.replaces) == ["day=2018-08-08"]
    assert found.sql[1] == (
        "ALTER TABLE `spark_catalog`.`store`.`scores` PARTITION (`day` = ...) SET LOCATION '...'"
    )
    assert found.summary()["replaces"] == "1 that are there: day=2018-08-08"
    assert list(plan(job, {"date": "2018-08-10"}).replaces) == []
    every = plan(job, source={"table": "store.tx"})
    assert every.replaces is None
    said = {"partitions": "day >= :date"}
    assert list(plan(job, source={"table": "store.tx"}, target=said).replaces) == [
        "day=2018-08-08",
        "day=2018-08-09",
    ]


@pytest.mark.nightly
def test_a_partition_of_null_is_looked_at(job: Any) -> None:
    job.run(key=["id"], source={"table": "store.tx"})
    job.spark.sql("INSERT INTO store.tx VALUES (7, 7.0D, 0, NULL, 'EU')")
    job.run(source={"table": "store.tx", "filter": "day IS NULL"})
    found = plan(job, source={"table": "store.tx", "filter": "day IS NULL"})
    assert list(found.replaces) == ["day=__HIVE_DEFAULT_PARTITION__"]


def test_who_reads_and_writes_and_why(job: Any) -> None:
    found = plan(job, source={"table": "store.tx", "scan": "jvm"}, target={"writer": "jvm"})
    assert (found.scan, found.writer) == ("jvm: it is asked for", "jvm: it is asked for")
    assert (found.reads.rows, found.reads.rows_from) == (3, "estimated by some of the files")
    appended = plan(job, target={"mode": "append"})
    assert appended.writer == "jvm: an append comes as one file for each partition"
    ordered = plan(job, target={"format": "orc"})
    assert ordered.writer == "jvm: the table is of format orc"


def test_a_table_that_is_written_by_sql(job: Any, by_sql: None) -> None:
    assert plan(job).writer == "jvm: the table is written by SQL"
    job.run()
    found = plan(job)
    assert found.sql[1].startswith("INSERT OVERWRITE `spark_catalog`.`store`.`scores` SELECT")
    assert plan(job, target={"mode": "append"}).sql[1].startswith("INSERT INTO ")


def test_rows_of_text_are_told_by_earlier_runs(
    spark: SparkSession, job: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "rows")
    spark.table("store.tx").coalesce(1).write.csv(path, header=True)
    source = {"path": path, "format": "csv", "options": {"header": "true"}}
    source |= {"schema": "id INT, a DOUBLE, b INT, day DATE, region STRING"}
    first = plan(job, source=source)
    assert (first.reads.rows, first.reads.rows_from) == (None, "")
    assert first.expected.seconds is None
    assert first.expected.rows_per_second > 0
    report = job.run(source=source)
    again = plan(job, source=source)
    assert (again.reads.rows, report.rows_in) == (3, 3)
    assert again.reads.rows_from == f"estimated by the rows for each byte of run {report.run_id}"


def test_figures_are_printed(job: Any, capsys: pytest.CaptureFixture[str]) -> None:
    job.run()
    found = plan(job)
    render.job_plan(found, as_json=True)
    data = json.loads(capsys.readouterr().out)
    assert data["reads"]["rows"] == 2
    assert data["replaces"] == ["day=2018-08-08"]
    render.job_plan(found, as_json=False)
    text = capsys.readouterr().out
    for word in (
        "runs once for each row",
        "as the last 1 run",
        "2 rows (estimated by the rows for each byte",
    ):
        assert word in text


def test_damaged_reports_do_not_stop_a_plan(job: Any) -> None:
    report = job.run()
    (job.folder / "reports" / f"target-{report.run_id}.json").write_text("{")
    assert plan(job).expected.taken_from.startswith("by a sample")


def test_a_source_without_rows(job: Any) -> None:
    job.spark.sql("TRUNCATE TABLE store.tx")
    found = plan(job)
    assert (found.reads.rows, found.reads.num_files) == (0, 0)
    assert found.expected == Expected()


@pytest.mark.parametrize("scan", ["auto", "jvm"])
def test_places_where_a_model_predicts_are_counted(
    spark: SparkSession, linear: si.Bundle, tmp_path: Path, scan: Any
) -> None:
    spark.createDataFrame([(1, 1.0, 2)], "id int, a double, b int").write.parquet(
        str(tmp_path / "rows")
    )
    rows = spark.read.parquet(str(tmp_path / "rows"))
    scored = si.predict(rows, linear, keep=["id"], scan=scan)
    assert [evaluations(df) for df in (rows, scored, scored.sort("id"))] == [0, 1, 1]
    assert evaluations(scored.union(scored)) == 2
