"""The command line in an empty directory, with no catalog configured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import spark_infer as si
from spark_infer.bundle.cache.locks import locked

TABLE = """
from spark_infer.spark import session

spark = session("make a table", {"spark.log.level": "OFF", "spark.ui.enabled": "false"})
spark.sql(
    "CREATE TABLE transactions USING parquet AS "
    "SELECT id, double(id) AS a, int(id) AS b, DATE'2018-08-08' AS day FROM range(3)"
)
"""


HIVE = """
import spark_infer as si
from spark_infer.errors import SparkInferError
from spark_infer.spark import session

spark = session("hive", {"spark.log.level": "OFF", "spark.ui.enabled": "false"})
columns = (
    "id BIGINT, score FLOAT, rejected_reason STRING, bundle_name STRING, bundle_digest STRING, "
    "run_id STRING, scored_at TIMESTAMP"
)
tables = {
    "hive_parquet": f"({columns}) PARTITIONED BY (day DATE) STORED AS PARQUET",
    "hive_orc": f"({columns}) PARTITIONED BY (day DATE) STORED AS ORC",
    "hive_text": f"({columns}) PARTITIONED BY (day DATE) STORED AS TEXTFILE",
    "hive_buckets": f"({columns}) PARTITIONED BY (day DATE) CLUSTERED BY (id) INTO 2 BUCKETS "
    "STORED AS PARQUET",
}
for convert in ("true", "false"):
    spark.conf.set("spark.sql.hive.convertMetastoreParquet", convert)
    spark.conf.set("spark.sql.hive.convertMetastoreOrc", convert)
    for name, definition in tables.items():
        spark.sql(f"DROP TABLE IF EXISTS {name}")
        spark.sql(f"CREATE TABLE {name} {definition}")
        spark.sql(f"ALTER TABLE {name} ADD PARTITION (day='2018-08-07')")
        job = si.ScoringJob.load("job.yaml", {"target.table": name}, date="2018-08-08")
        try:
            reports = [job.run(spark).rows_out for _ in range(2)]
        except SparkInferError as error:
            print("FOUND", name, error)
        else:
            days = [row[0] for row in spark.sql(f"SHOW PARTITIONS {name}").collect()]
            print("FOUND", name, reports, spark.table(name).count(), days)
"""


@pytest.fixture
def work(tmp_path: Path, bundle: si.Bundle) -> Path:
    job = {
        "name": "nightly",
        "parameters": {"date": {"type": "date"}},
        "source": {"table": "transactions", "filter": "day = :date"},
        "key": ["id"],
        "bundle": {"path": str(bundle.path)},
        "target": {"table": "predictions", "partition_by": ["day"], "keep": ["day"]},
        "spark": {"spark.log.level": "OFF", "spark.ui.enabled": "false"},
    }
    folder = tmp_path / "of a new user"
    folder.mkdir()
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    return folder


def start(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=work,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def score(work: Path) -> subprocess.CompletedProcess[str]:
    return start(work, "-m", "spark_infer", "score", "job.yaml", "--set", "date=2018-08-08")


@pytest.mark.nightly
def test_a_table_lasts_from_process_to_process(work: Path) -> None:
    made = start(work, "-c", TABLE)
    assert made.returncode == 0, made.stderr
    for _ in range(2):
        done = score(work)
        assert done.returncode == 0, done.stderr
        assert "3 in, 3 out, 0 rejected" in done.stdout
        told = f"no catalog is configured: tables are kept in {work / 'spark_infer_catalog'}"
        assert done.stderr.count(told) == 1
    found = sorted(path.name for path in work.iterdir())
    assert found == ["job.yaml", "reports", "spark_infer_catalog"]


def test_a_second_process_is_told_to_wait(work: Path) -> None:
    (work / "spark_infer_catalog").mkdir()
    with locked(work / "spark_infer_catalog" / "in_use.lock"):
        done = score(work)
    assert done.returncode != 0
    assert "is used by another process, and only one at a time can; run again" in done.stderr
    assert "Traceback" not in done.stderr


def test_partitioned_hive_tables_are_written_or_refused(work: Path) -> None:
    assert start(work, "-c", TABLE).returncode == 0
    done = start(work, "-c", HIVE)
    assert done.returncode == 0, done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    written = "[3, 3] 3 ['day=2018-08-07', 'day=2018-08-08']"
    for line, name in zip(found, 2 * ["parquet", "orc", "text", "buckets"], strict=True):
        if name in ("parquet", "orc"):
            assert line == f"FOUND hive_{name} {written}"
        elif name == "text":
            assert "'hive (LazySimpleSerDe)', which is not known to give back" in line
        else:
            assert "is a bucketed Hive table, which Spark cannot write" in line
