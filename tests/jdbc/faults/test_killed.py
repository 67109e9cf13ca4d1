"""A driver that is killed: the same run again leaves the table of an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.jdbc.server import JAR
from tests.jdbc.test_modes import APPEND, DELETE, OVERWRITE

NUM_DAYS = 4
NUM_ROWS = 200
RUN = """
import os, signal, sys

from pyspark import SparkContext

import spark_infer as si
from spark_infer.spark import session
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.jdbc_table import JdbcTable
from spark_infer.warehouse.sinks.jdbc.publication import Publication
from spark_infer.warehouse.sinks.jdbc.staging import Staging

STEPS = {
    "sent": (Staging, "settle"),
    "staged": (JdbcTable, "check_rows"),
    "publish": (Publication, "publish"),
    "published": (JdbcTable, "discard"),
}


def die(*ignored, **named):
    os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


moment = sys.argv[1]
if moment == "half":
    # The rows are in the table, for this connection alone.
    execute = Connection.execute

    def half(connection, sql, **named):
        if "DROP" in sql and not connection._java.getAutoCommit():
            die()
        return execute(connection, sql, **named)

    Connection.execute = half
else:
    setattr(*STEPS[moment], die)
job = si.ScoringJob.load("job.yaml")
job.run(session("killed", job.config.spark))
"""


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("target", "moments"),
    [
        (DELETE, ["sent", "staged", "publish", "half", "published"]),
        (OVERWRITE, ["half", "sent"]),
        (APPEND, ["half", "published"]),
    ],
)
def test_kills_at_every_step(job: Any, target: dict[str, Any], moments: list[str]) -> None:
    changes = {"source": {"path": str(job.folder / "tx.parquet")}, "target": target}
    write_source(job.folder, days=range(NUM_DAYS // 2), factor=1)
    job.run(**changes)
    old = rows(job)
    # The next night: other days, and other numbers.
    write_source(job.folder, days=range(1, NUM_DAYS), factor=3)
    if target is OVERWRITE:
        changes["target"] = target | {"partitions": "day >= 1"}
    for moment in moments:
        killed(job, moment, changes)
        if moment != "published":
            assert rows(job) == old, moment
    published = rows(job)
    job.run(**changes)
    keeps = range(NUM_DAYS // 2) if target is APPEND else [] if target is DELETE else [0]
    expected = [
        (n, n % NUM_DAYS, 2.0 * n * (1 if n % NUM_DAYS in keeps else 3))
        for n in range(NUM_ROWS)
        if target is not DELETE or n % NUM_DAYS
    ]
    assert rows(job) == expected
    if moments[-1] == "published":
        assert published == expected
    assert job.tables() == ["scores"]


def write_source(folder: Path, *, days: range, factor: int) -> None:
    ids = [n for n in range(NUM_ROWS) if n % NUM_DAYS in days]
    table = {"id": ids, "a": [float(n * factor) for n in ids], "day": [n % NUM_DAYS for n in ids]}
    pq.write_table(pa.table(table), folder / "tx.parquet", row_group_size=50)


def rows(job: Any) -> list[tuple[int, int, float]]:
    found = job.server.sql("SELECT id, day, score FROM lake.scores ORDER BY id, day, score")
    return [(int(n), int(day), float(score)) for n, day, score in found]


def killed(job: Any, moment: str, changes: dict[str, Any]) -> None:
    job.load(**changes)
    config = yaml.safe_load((job.folder / "job.yaml").read_text())
    config["spark"] = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.log.level": "OFF",
        "spark.sql.shuffle.partitions": "2",
        "spark.jars": str(JAR),
    }
    (job.folder / "job.yaml").write_text(yaml.safe_dump(config))
    (job.folder / "run.py").write_text(RUN)
    done = subprocess.run(
        [sys.executable, "run.py", moment],
        cwd=job.folder,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    # The server ends a session when it finds that its client is gone.
    alive = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'spark_infer%'"
    while job.server.sql(alive) != [("0",)]:
        pass
