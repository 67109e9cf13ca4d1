"""The command line on a terminal: one line tells how far it is, and is gone at the end."""

from __future__ import annotations

import os
import pty
import re
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

CLEAR = "\r\x1b[K"
FOREVER = "aggregate(sequence(1, 5000000), 0D, (x, y) -> x + sqrt(y)) > id"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    ids = list(range(100))
    pq.write_table(pa.table({"id": ids, "a": [float(n) for n in ids], "b": ids}), tmp_path / "tx")
    return tmp_path


class OnTerminal:
    """A command whose error stream is a terminal."""

    def __init__(self, work: Path, bundle: si.Bundle, *arguments: str, **changes: Any) -> None:
        job = {
            "name": "shown",
            "source": {"path": "tx"},
            "key": ["id"],
            "bundle": {"path": str(bundle.path)},
            "target": {"table": "scores", "mode": "append"},
            "spark": {"spark.master": "local[2]", "spark.driver.memory": "1g"},
            **changes,
        }
        (work / "job.yaml").write_text(yaml.safe_dump(job))
        self._main, side = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spark_infer", "score", "job.yaml", *arguments],
            cwd=work,
            env={**os.environ, "PYSPARK_PYTHON": sys.executable, "COLUMNS": "120"},
            stdout=subprocess.DEVNULL,
            stderr=side,
            start_new_session=True,
        )
        os.close(side)
        self.text = ""

    def read(self, word: str | None = None) -> bool:
        """Read on until a word comes, or to the end; return whether it came."""
        while word is None or word not in self.text:
            try:
                piece = os.read(self._main, 10_000)
            except OSError:  # So a terminal ends.
                break
            if not piece:
                break
            self.text += piece.decode(errors="replace")
        return word is not None and word in self.text

    def end(self) -> int:
        self.read()
        os.close(self._main)
        return self.process.wait()

    @property
    def seen(self) -> list[str]:
        """What stands on the terminal at the end."""
        lines = self.text.replace("\r\n", "\n").split("\n")
        return [line.rpartition(CLEAR)[2] for line in lines if line.rpartition(CLEAR)[2]]


def test_one_line_tells_how_far_it_is_and_is_gone_at_the_end(work: Path, bundle: si.Bundle) -> None:
    shown = OnTerminal(work, bundle)
    assert shown.end() == 0, shown.text
    assert f"{CLEAR}start: " in shown.text
    assert not [line for line in shown.seen if "so far" in line]
    assert [line for line in shown.seen if " INFO score: " in line]


@pytest.mark.nightly
def test_quiet_tells_nothing(work: Path, bundle: si.Bundle) -> None:
    shown = OnTerminal(work, bundle, "--quiet")
    assert shown.end() == 0, shown.text
    assert "so far" not in shown.text
    assert " INFO " not in shown.text


@pytest.mark.nightly
def test_ctrl_c_leaves_one_line(work: Path, bundle: si.Bundle) -> None:
    shown = OnTerminal(work, bundle, rows=FOREVER)
    assert shown.read(f"{CLEAR}score: "), shown.text
    os.killpg(shown.process.pid, signal.SIGINT)
    assert shown.end() == 130, shown.text
    *before, last = shown.seen
    assert re.sub(r"\x1b\[[0-9;]*m", "", last).startswith("Interrupted by SIGINT: ")
    assert not [line for line in before if "so far" in line or "cannot be told" in line]
