"""A run that is stopped by a signal while it waits for the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.jdbc.faults.test_faults import LOCK
from tests.jdbc.server import JAR
from tests.jdbc.test_modes import FIRST, MERGE


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_leaves_nothing(job: Any, number: signal.Signals) -> None:
    job.run(target=MERGE)
    days = pa.array([17_751, 17_751], pa.date32())
    ids = pa.array([1, 4], pa.int32())
    pq.write_table(pa.table({"id": ids, "a": [9.0, 9.0], "day": days}), job.folder / "tx")
    job.load(source={"path": "tx"}, target=MERGE)
    config = yaml.safe_load((job.folder / "job.yaml").read_text())
    config["spark"] = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.jars": str(JAR),
    }
    (job.folder / "job.yaml").write_text(yaml.safe_dump(config))
    with (
        job.server.holding(LOCK),
        subprocess.Popen(
            [sys.executable, "-m", "spark_infer", "score", "job.yaml"],
            cwd=job.folder,
            env={**os.environ, "PYSPARK_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "another run writes table" in line:
                break
        else:
            pytest.fail("".join(lines))
        os.killpg(process.pid, number)
        rest, _ = process.communicate()
    assert process.returncode == 128 + number, rest
    assert f"Interrupted by {number.name}" in rest
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]
