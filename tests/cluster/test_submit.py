"""``spark-submit scripts/score.py``, as a scheduler calls it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.find_spark_home import _find_spark_home

import spark_infer as si

REPOSITORY = Path(__file__).parents[2]
MASTER = "local-cluster[1,1,1024]"


@pytest.fixture
def work(tmp_path: Path, bundle: si.Bundle) -> Path:
    """A directory with transactions and a job file."""
    days = [dt.date(2018, 8, 8), dt.date(2018, 8, 8), dt.date(2018, 8, 9)]
    table = pa.table({"id": [1, 2, 3], "a": [1.0, 2.0, None], "b": [1, 2, 3], "day": days})
    pq.write_table(table, tmp_path / "tx.parquet")
    job = {
        "name": "nightly",
        "parameters": {"date": {"type": "date"}},
        "source": {"path": "tx.parquet", "filter": "day = :date"},
        "key": ["id"],
        "bundle": {"path": str(bundle.path)},
        "target": {"table": "scores", "partition_by": ["day"], "keep": ["day"]},
        "spark": {"spark.sql.warehouse.dir": str(tmp_path / "not-here")},  # spark-submit wins
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    return tmp_path


def submit(work: Path, *arguments: str, conf: dict[str, str] | None = None) -> tuple[int, str]:
    settings = {
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.executor.defaultJavaOptions": os.environ.get("SPARK_SUBMIT_OPTS", ""),
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:metastore;create=true",
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        **(conf or {}),
    }
    command = [str(Path(_find_spark_home()) / "bin" / "spark-submit"), "--master", MASTER]
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    command += [str(REPOSITORY / "scripts" / "score.py"), *arguments]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_scores_a_day_and_reports(work: Path) -> None:
    code, output = submit(work, "job.yaml", "--set", "date=2018-08-08")
    assert code == 0, output
    assert "2 in, 2 out, 0 rejected" in output
    (part,) = (work / "warehouse" / "scores").glob("_spark_infer/*/rows/day=*")
    assert part.name == "day=2018-08-08"
    scores = pq.read_table(part).select(["id", "score"]).to_pylist()
    assert sorted(scores, key=lambda row: row["id"]) == [
        {"id": 1, "score": 11.0},
        {"id": 2, "score": 22.0},
    ]
    assert len(list((work / "reports").glob("*.json"))) == 1


DAEMON = """
from pyspark.daemon import manager
from spark_infer.spark.daemon import preload

if __name__ == "__main__":
    with open({path!r}, "a") as file:
        print("started", file=file)
    preload()
    manager()
"""


@pytest.mark.nightly
def test_a_run_that_creates_its_target_starts_one_daemon(work: Path) -> None:
    started = work / "daemons"
    (work / "counted_daemon.py").write_text(DAEMON.format(path=str(started)))
    python_path = os.pathsep.join([str(work), os.environ.get("PYTHONPATH", "")])
    conf = {
        "spark.python.daemon.module": "counted_daemon",
        "spark.executorEnv.PYTHONPATH": python_path,
    }
    code, output = submit(work, "job.yaml", "--set", "date=2018-08-08", conf=conf)
    assert code == 0, output
    assert started.read_text() == "started\n"


def test_a_wrong_parameter_exits_with_2_and_writes_nothing(work: Path) -> None:
    code, output = submit(work, "job.yaml", "--set", "dat=2018-08-08")
    assert code == 2
    assert "the job has no parameter 'dat'; did you mean 'date'?" in output
    assert not (work / "warehouse" / "scores").exists()


def test_executors_without_torch_are_named(work: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")
    path = os.pathsep.join([str(shadow), os.environ.get("PYTHONPATH", "")])
    code, output = submit(
        work, "job.yaml", "--set", "date=2018-08-08", conf={"spark.executorEnv.PYTHONPATH": path}
    )
    assert code == 2
    assert "torch is not installed for" in output
    assert not (work / "warehouse" / "scores").exists()


PLANTED = "import pathlib, sys; pathlib.Path({path!r}).touch(); sys.exit('planted')"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python always looks there")
def test_modules_in_the_current_folder_are_passed_over(work: Path) -> None:
    job = yaml.safe_load((work / "job.yaml").read_text())
    job["spark"] = {"spark.master": "local[1]", "spark.driver.memory": "1g"}
    (work / "job.yaml").write_text(yaml.safe_dump(job))
    for name in ("torch", "numpy", "pandas", "sympy", "filelock", "spark_infer"):
        (work / f"{name}.py").write_text(PLANTED.format(path=str(work / "ran")))
    # As the command spark-infer, which looks for modules beside itself and not here.
    command = [sys.executable, "-P", "-m", "spark_infer", "score", "job.yaml"]
    done = subprocess.run(
        [*command, "--set", "date=2018-08-08"],
        cwd=work,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (work / "ran").exists()
