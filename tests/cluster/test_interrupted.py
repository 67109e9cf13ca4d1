"""The command line, stopped by a signal: one line, its exit code, and no process left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import spark_infer as si

FOREVER = "aggregate(sequence(1, 5000000), 0D, (x, y) -> x + sqrt(y)) > id"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    ids = list(range(100))
    pq.write_table(pa.table({"id": ids, "a": [float(n) for n in ids], "b": ids}), tmp_path / "tx")
    return tmp_path


def start(work: Path, bundle: si.Bundle, **changes: Any) -> subprocess.Popen[str]:
    job = {
        "name": "stopped",
        "source": {"path": "tx"},
        "key": ["id"],
        "bundle": {"path": str(bundle.path)},
        "target": {"table": "scores", "mode": "append"},
        "spark": {"spark.master": "local[2]", "spark.driver.memory": "1g"},
        **changes,
    }
    (work / "job.yaml").write_text(yaml.safe_dump(job))
    return subprocess.Popen(
        [sys.executable, "-m", "spark_infer", "score", "job.yaml"],
        cwd=work,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return
    pytest.fail("".join(lines))


def running(work: Path) -> list[str]:
    """Return the commands that run in a folder; what only waits for its parent does not."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if place.readlink() == work:
                found.append(place.with_name("cmdline").read_text())
    return found


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("number", "moment", "step"),
    [
        (signal.SIGINT, " score:", "score"),  # while a query runs, at its first sign of life
        (signal.SIGTERM, " start:", ""),  # while queries are analyzed
        (signal.SIGINT, " bundle:", ""),  # while the JVM starts
        (signal.SIGTERM, " score:", "score"),
    ],
)
def test_a_signal_ends_the_run_with_one_line(
    work: Path, bundle: si.Bundle, number: signal.Signals, moment: str, step: str
) -> None:
    process = start(work, bundle, rows=FOREVER)
    read_until(process, moment)
    os.killpg(process.pid, number)
    rest, _ = process.communicate()
    assert process.returncode == 128 + number
    lines = [line for line in rest.splitlines() if " INFO " not in line and "catalog" not in line]
    assert len(lines) == 1, rest
    assert lines[0].startswith(f"Interrupted by {number.name}")
    told = ("the target is as it was", "nothing was written", "cannot be read")
    assert any(text in lines[0] for text in told), lines
    assert not running(work)
    assert not list(work.glob("spark_infer_catalog/warehouse/*"))
    if step:
        (path,) = (work / "reports").glob("*.json")
        report = json.loads(path.read_text())
        assert (report["status"], report["step"]) == ("interrupted", step), report


def test_the_start_is_told_without_noise(work: Path, bundle: si.Bundle) -> None:
    process = start(work, bundle)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    lines = [line for line in output.splitlines() if " INFO " in line and "so far" not in line]
    told = [line.split()[2].rstrip(":") for line in lines]
    steps = ["bundle", "start", "source", "check", "load", "score", "keys", "write"]
    assert told == [*steps, "report"]
    (warning,) = (line for line in output.splitlines() if "WARN" in line)
    assert "no catalog is configured" in warning
    assert "Using" not in output
    assert "100 in, 100 out, 0 rejected" in output


@pytest.mark.nightly
def test_a_wrong_value_is_one_line_without_a_trace(work: Path, bundle: si.Bundle) -> None:
    process = start(work, bundle, rows="CAST(concat('x', id) AS int) > 1")
    output, _ = process.communicate()
    assert process.returncode == 2, output
    lines = [line for line in output.splitlines() if " INFO " not in line and "catalog" not in line]
    assert len(lines) == 1, output
    assert lines[0].startswith("WarehouseError: scoring failed and the target is as it was: [")
