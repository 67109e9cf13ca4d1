"""A driver that is killed while it publishes: the same run again completes it, no row twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

import spark_infer as si

NUM_DAYS = 40
NUM_ROWS = 400

RUN = """
import json, os, signal, sys, threading
from pathlib import Path

from pyspark import SparkContext

import spark_infer as si
from spark_infer.spark import session
from spark_infer.warehouse.sinks.files import publication
from spark_infer.warehouse.sinks.files.file_table import FileTable
from spark_infer.warehouse.sinks.files.partition import Partitions
from spark_infer.warehouse.sinks.files.run_folder import RunFolder

moment, folder = sys.argv[1], Path(sys.argv[2])
STEPS = {
    "staged": (FileTable, "check_rows"),
    "publish": (FileTable, "publish"),
    "point": (Partitions, "point"),
    "move": (publication, "_move"),
    "end": (RunFolder, "end_publishing"),
}


def die(*ignored):
    os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


def watch(pattern):
    while not any(folder.glob(pattern)):
        pass
    die()


if moment.startswith("when "):
    threading.Thread(target=watch, args=[moment.removeprefix("when ")], daemon=True).start()
    RunFolder.end_publishing = die  # at the latest: the moment may be missed
elif moment:
    owner, name = STEPS[moment.removeprefix("half ")]
    step = getattr(owner, name)

    def half(*arguments):
        if moment.startswith("half ") and moment.endswith("point"):
            partitions, places = arguments
            step(partitions, dict(list(places.items())[: len(places) // 2]))
        elif moment.startswith("half "):
            step(*arguments)
        die()

    setattr(owner, name, half)
job = si.ScoringJob.load("job.yaml")
spark = session("killed", job.config.spark)
job.run(spark)
table = spark.table("scores")
print("FOUND", json.dumps([table.count(), table.select("id").distinct().count()]))
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    ids = list(range(NUM_ROWS))
    table = pa.table(
        {"id": ids, "a": [float(n) for n in ids], "b": ids, "day": [n % NUM_DAYS for n in ids]}
    )
    pq.write_table(table, tmp_path / "tx.parquet", row_group_size=50)
    (tmp_path / "run.py").write_text(RUN)
    return tmp_path


def run(work: Path, bundle: si.Bundle, target: dict[str, Any], moment: str = "") -> Any:
    """Run the job; return what it found in the table, or None when it was killed."""
    job = {
        "name": "killed",
        "source": {"path": "tx.parquet"},
        "key": ["id"],
        "bundle": {"path": str(bundle.path)},
        "target": {"table": "scores", "keep": ["day"], **target},
        "spark": {
            "spark.master": "local[2]",
            "spark.driver.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.log.level": "OFF",
            "spark.sql.shuffle.partitions": "2",
        },
    }
    (work / "job.yaml").write_text(yaml.safe_dump(job))
    place = work / "spark_infer_catalog" / "warehouse"
    done = subprocess.run(
        [sys.executable, "run.py", moment, str(place)],
        cwd=work,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    if moment:
        assert done.returncode == -9, done.stderr
        return None
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert found, done.stderr
    return json.loads(found[0].removeprefix("FOUND "))


OVERWRITE = {"partition_by": ["day"]}
APPEND = {"mode": "append", "partition_by": ["day"]}
PLAIN = {"mode": "append"}


STAGING = "when .scores_spark_infer/*/attempts/part-*"
STAGING_BY_SPARK = "when .scores_spark_infer/*/rows/_temporary/0/task_*"
BY_SPARK = {**OVERWRITE, "writer": "jvm"}


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("target", "moment"),
    [
        (OVERWRITE, STAGING),
        (BY_SPARK, STAGING_BY_SPARK),
        (OVERWRITE, "half point"),
        (PLAIN, "half move"),
    ],
)
def test_a_first_run_that_is_killed(
    work: Path, bundle: si.Bundle, target: dict[str, Any], moment: str
) -> None:
    run(work, bundle, target, moment)
    assert run(work, bundle, target) == [NUM_ROWS, NUM_ROWS]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("target", "moment"),
    [
        (OVERWRITE, "half point"),
        (APPEND, "half point"),
        (PLAIN, "end"),
    ],
)
def test_a_later_run_that_is_killed(
    work: Path, bundle: si.Bundle, target: dict[str, Any], moment: str
) -> None:
    everything = pq.read_table(work / "tx.parquet")
    pq.write_table(everything.filter(pc.equal(everything["day"], 0)), work / "tx.parquet")
    run(work, bundle, target)
    pq.write_table(everything, work / "tx.parquet", row_group_size=50)
    run(work, bundle, target, moment)
    assert run(work, bundle, target) == [NUM_ROWS, NUM_ROWS]
