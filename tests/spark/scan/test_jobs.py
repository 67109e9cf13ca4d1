"""Jobs and predictions over Parquet: who reads the rows, and that it makes no difference."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
import yaml
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError
from spark_infer.metrics import Metrics
from spark_infer.spark.driver.record_batches import record_batch_sizes
from spark_infer.spark.driver.session import own_session
from spark_infer.spark.scan.scan import _ReadTask
from spark_infer.warehouse import JobConfig, ScoringJob
from spark_infer.warehouse.planning.planned_run import PlannedRun


@pytest.fixture(scope="module")
def sum2(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    model = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("score")]
    )
    return si.save_bundle(tmp_path_factory.mktemp("b") / "sum2", model, signature=signature)


@pytest.fixture
def table(spark: SparkSession) -> Iterator[DataFrame]:
    spark.sql("CREATE DATABASE IF NOT EXISTS files")
    spark.sql(
        "CREATE TABLE files.tx USING parquet PARTITIONED BY (day) AS "
        "SELECT id, double(id) a, int(id * 2) b, date_add(DATE'2018-08-07', int(id % 3)) day "
        "FROM range(30)"
    )
    yield spark.table("files.tx")
    spark.sql("DROP DATABASE files CASCADE")


def test_predictions_are_the_same(table: DataFrame, sum2: si.Bundle) -> None:
    direct = si.predict(table, sum2, keep=["id", "day"], scan="direct")
    through = si.predict(table, sum2, keep=["id", "day"], scan="jvm")
    assert direct.schema == through.schema
    rows = sorted(map(tuple, direct.collect()))
    assert rows == sorted(map(tuple, through.collect()))
    assert [row[2] for row in rows] == [3.0 * number for number in range(30)]


def test_explain_tells_the_path_and_the_reason(table: DataFrame, sum2: si.Bundle) -> None:
    direct = si.predict(table, sum2, keep=["id"])
    assert si.explain(direct).startswith("direct: 30 rows, ")
    assert " Parquet file" in si.explain(direct)
    assert si.explain(direct.filter("score > 1").select("id")) == si.explain(direct)
    sorted_ = si.predict(table.orderBy("id"), sum2, keep=["id"])
    assert si.explain(sorted_) == "jvm: Spark's plan has Sort between the files and the model"
    asked = si.predict(table, sum2, keep=["id"], scan="jvm")
    assert si.explain(asked) == "jvm: it is asked for"
    both = si.explain(direct.union(asked)).splitlines()
    assert both == [si.explain(direct), si.explain(asked)]
    assert si.explain(table) == ""


def test_what_cannot_be_direct_is_refused_where_it_is_asked_for(
    table: DataFrame, sum2: si.Bundle
) -> None:
    with pytest.raises(ConfigError, match="scan 'direct' cannot be: Spark's plan has Sort between"):
        si.predict(table.orderBy("id"), sum2, keep=["id"], scan="direct")
    with pytest.raises(ConfigError, match="scan 'direct' needs keep"):
        si.predict(table, sum2, scan="direct")
    with pytest.raises(ConfigError, match=r"scan 'fast' is unknown; use 'auto', 'direct' or 'jvm'"):
        si.predict(table, sum2, keep=["id"], scan="fast")  # type: ignore[arg-type]


def test_only_the_partitions_of_a_filter_are_read(table: DataFrame, sum2: si.Bundle) -> None:
    day = si.predict(table.filter("day = DATE'2018-08-08'"), sum2, keep=["id"])
    assert si.explain(day).startswith("direct: 10 rows, ")
    assert sorted(row.id for row in day.collect()) == list(range(1, 30, 3))


@pytest.fixture
def job(table: DataFrame, sum2: si.Bundle, tmp_path: Path) -> Any:
    def run(spark: SparkSession, scan: str, do: str = "run", **changes: Any) -> Any:
        path = tmp_path / "job.yaml"
        source = {"table": "files.tx", "filter": "day = :date AND id > 3", "scan": scan}
        config = {
            "name": "nightly",
            "parameters": {"date": {"type": "date"}},
            "source": source,
            "key": ["id"],
            "bundle": {"path": str(sum2.path)},
            "target": {"table": f"files.{scan}", "partition_by": ["day"], "keep": ["day"]},
            "report": {"path": str(tmp_path / "reports")},
            **changes,
        }
        path.write_text(yaml.safe_dump(config))
        return getattr(si.ScoringJob.load(path, date="2018-08-08"), do)(spark)

    return run


def test_a_job_writes_the_same_by_either_path(spark: SparkSession, job: Any) -> None:
    direct, through = job(spark, "direct"), job(spark, "jvm")
    assert direct.scan.startswith("direct: 10 rows, ")
    assert direct.summary()["scan"] == direct.scan
    assert direct.throughput[-1]["rows"] == through.throughput[-1]["rows"] == 9
    assert through.scan == "jvm: it is asked for"
    assert (direct.batches["num_read"], through.batches["num_read"]) == (10, 0)
    # A bigint, a double and an int for each, and what describes them.
    assert direct.batches["num_read_bytes"] >= 10 * (8 + 8 + 4)
    columns = ("id", "day", "score", "rejected_reason")
    written = [
        sorted(map(tuple, spark.table(f"files.{scan}").select(*columns).collect()))
        for scan in ("direct", "jvm")
    ]
    assert written[0] == written[1]
    assert [row[0] for row in written[0]] == list(range(4, 30, 3))
    assert (direct.rows_in, direct.rows_out) == (through.rows_in, through.rows_out) == (9, 9)


def test_a_job_whose_features_spark_computes(spark: SparkSession, job: Any) -> None:
    features = {"b": "b + 1"}
    report = job(spark, "auto", features=features)
    assert report.scan == "jvm: Spark computes (b + 1)"
    with pytest.raises(ConfigError, match=r"scan 'direct' cannot be: Spark computes \(b \+ 1\)"):
        job(spark, "direct", features=features)


def test_a_plan_tells_what_a_run_would_do(spark: SparkSession, job: Any, sum2: si.Bundle) -> None:
    plan = job(spark, "auto", do="plan")
    assert plan.scan.startswith("direct: 10 rows, ")
    assert (plan.reads.rows, plan.reads.rows_from) == (10, "as the files say")
    assert plan.reads.num_files == int(plan.scan.split(", ")[2].split()[0])
    is_old = int(pa.__version__.split(".")[0]) < 25
    assert plan.writer == (
        f"jvm: pyarrow is {pa.__version__}, 25 is needed" if is_old else "workers"
    )
    assert plan.writes == "it is created"
    assert plan.columns[:4] == ("id BIGINT", "day DATE", "score FLOAT", "rejected_reason STRING")
    assert plan.bundle["digest"] == sum2.digest
    assert plan.parameters == {"date": "2018-08-08"}
    assert not spark.catalog.tableExists("files.auto")
    job(spark, "auto")
    again = job(spark, "auto", do="plan")
    assert (again.expected.taken_from, again.replaces) == ("as the last 1 run", None)
    assert again.writes == (
        "the partitions (by day) that the run has rows for are replaced, those that it is about "
        "and has none for are emptied"
    )
    assert again.summary()["target"] == f"files.auto: {again.writes}"
    assert spark.table("files.auto").count() == 9


def test_spark_sends_a_job_larger_record_batches(
    spark: SparkSession, table: DataFrame, sum2: si.Bundle
) -> None:
    rows, size = (
        f"spark.sql.execution.arrow.{name}" for name in ("maxRecordsPerBatch", "maxBytesPerBatch")
    )
    own = own_session(spark, {})
    if spark.version < "4":
        assert record_batch_sizes(own) == {}
        return
    assert record_batch_sizes(own) == {rows: "32768", size: str(16 << 20)}
    own.conf.set(rows, "500")
    assert record_batch_sizes(own) == {}
    config = JobConfig.model_validate(
        {
            "name": "nightly",
            "source": {"table": "files.tx", "scan": "jvm"},
            "key": ["id"],
            "bundle": {"path": str(sum2.path)},
            "target": {"table": "files.scores", "partition_by": ["day"], "keep": ["day"]},
        }
    )
    run = PlannedRun(ScoringJob(config, {}), spark, None)
    run.plan()
    assert run.spark.conf.get(rows) == "32768"
    assert spark.conf.get(rows) == "10000"


class _Reader:
    """Tells in which thread it reads."""

    def read(self, number: int, metrics: Metrics) -> Iterator[pa.RecordBatch]:
        name = threading.current_thread().name
        yield pa.RecordBatch.from_pydict({"0": [f"{name} {number}"]})


def _names(batches: Any) -> Iterator[pa.RecordBatch]:
    yield from batches


@pytest.mark.parametrize(("cores", "thread"), [(1, "MainThread"), (2, "spark_infer-read")])
def test_a_task_of_several_cores_reads_ahead(
    monkeypatch: pytest.MonkeyPatch, cores: int, thread: str
) -> None:
    class Context:
        def cpus(self) -> int:
            return cores

    monkeypatch.setattr(TaskContext, "get", Context)
    task = _ReadTask(_Reader(), _names)  # type: ignore[arg-type]
    given = [pa.RecordBatch.from_pydict({"id": [4, 7]})]
    read = [batch.column(0)[0].as_py() for batch in task(given)]
    assert read == [f"{thread} 4", f"{thread} 7"]
