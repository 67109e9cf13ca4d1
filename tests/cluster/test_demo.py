"""The demo, with fewer rows: what it says of its three nights, and the commands that it names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the demo takes from the repository."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("conf", "scripts/fraud"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def told(clone: Path) -> str:
    """What the demo prints."""
    return _run(clone, "scripts/fraud/demo.py", "--rows", "60000")


def test_three_nights(told: str, clone: Path) -> None:
    nights = re.split(r"The \w+ night · 2018-08-\d\d", told)[1:]
    first, second, third = (" ".join(night.split()) for night in nights)
    (scored,) = _numbers(r"([\d,]+) rows of a week scored", first)
    (rejected,) = _numbers(
        r"([\d,]+) rows got no prediction and are in table fraud.rejected: ", first
    )
    assert 0 < rejected < scored / 20
    again, new, changed, same = _numbers(
        r"([\d,]+) rows scored: ([\d,]+) new ones, and ([\d,]+) of.* ([\d,]+) are as they", second
    )
    days = pq.read_table(clone / ".demo" / "transactions.parquet")["tx_date"].to_pylist()
    assert new == sum(str(day) == "2018-08-09" for day in days)
    assert again == new + changed
    assert again + same == sum("2018-08-03" <= str(day) <= "2018-08-09" for day in days)
    (corrected,) = _numbers(r"During the day ([\d,]+) amounts", second)
    assert 0 < corrected <= changed < same
    assert "0 rows got no prediction and are in table fraud.rejected." in second
    assert "Stopped by the gate, exit code 3" in third
    assert re.search(r"psi +amount .* stopped", third)
    assert "fraud.predictions is as it was" in third


def test_what_it_prints_is_short_and_without_noise(told: str) -> None:
    assert len(told.splitlines()) < 100
    assert not re.search(r"WARN|ERROR|Traceback|Exception|\bNone\b", told)


def test_it_looks_back(told: str) -> None:
    outcomes = re.findall(rf"^{RUN} .*", told, re.MULTILINE)
    assert [("stopped" in line, "done" in line) for line in outcomes] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    assert "the prediction is the one that was published" in told


def test_reports_can_be_opened(told: str, clone: Path) -> None:
    pages = re.findall(rf"^2018-08-\d\d  (\S+{RUN}\.html)$", told, re.MULTILINE)
    texts = [(clone / page).read_text() for page in pages]
    assert ["Stopped by the gate" in text for text in texts] == [False, False, True]


def test_the_stopped_night_can_be_published(told: str, clone: Path) -> None:
    found = re.search(rf"^\$ spark-infer (publish conf/fraud.yaml {RUN})$", told, re.MULTILINE)
    assert found is not None
    assert "published" in _run(clone, "-m", "spark_infer", *found[1].split())


def _run(clone: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        # As wide as an on-call person's screen, and no narrower than a run's line.
        env={
            **os.environ,
            "COLUMNS": "160",
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def _numbers(pattern: str, text: str) -> list[int]:
    """Return the numbers that a pattern finds."""
    found = re.search(pattern, text)
    assert found is not None, text
    return [int(number.replace(",", "")) for number in found.groups()]
