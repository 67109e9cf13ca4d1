"""Which runs of a table go on."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.sinks.iceberg.alive import Alive

NOW = dt.datetime.now(dt.timezone.utc)
HOUR = dt.timedelta(hours=1)

DIE = """
import os, signal, sys
from pathlib import Path

from spark_infer.warehouse.sinks.iceberg.alive import Alive

Alive(Path(sys.argv[1])).begin("run")
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_dead(alive: Alive, changed: dt.datetime, run_id: str = "run") -> bool:
    with alive.if_dead(run_id, changed) as found:
        return found


def test_a_run_is_alive_while_its_process_is(tmp_path: Path) -> None:
    run, other = Alive(tmp_path / "runs"), Alive(tmp_path / "runs")
    run.begin("run")
    other.sweep()
    assert not is_dead(other, NOW - 100 * HOUR)
    run.end()
    assert list((tmp_path / "runs").iterdir()) == []
    run.end()  # Nothing is left to do.


@pytest.mark.processes
def test_a_run_that_was_killed_is_dead_at_once(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIE, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    assert is_dead(Alive(tmp_path), NOW)
    assert list(tmp_path.iterdir()) == []


def test_files_of_dead_runs_without_a_branch_are_swept(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    Alive(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []
    Alive(tmp_path / "nowhere").sweep()
    Alive(None).sweep()


@pytest.mark.parametrize(("hours", "dead"), [(0, False), (23, False), (25, True)])
def test_without_a_file_a_run_is_dead_after_a_day(tmp_path: Path, hours: int, dead: bool) -> None:
    for alive in (Alive(tmp_path), Alive(None)):
        assert is_dead(alive, NOW - hours * HOUR) == dead


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(WarehouseError, match=r"cannot be locked: .*; make the table's folder writ"):
        Alive(tmp_path / "runs").begin("run")
