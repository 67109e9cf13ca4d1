"""The benchmarks from Parquet to Parquet, over few rows: they need Java."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.program import run

LIBRARIES = {"direct_vs_daft": "daft", "direct_vs_ray": "ray"}


def measured(name: str, rows: int, folder: Path) -> tuple[dict[str, Any], str]:
    """Return the result, and what was printed."""
    path = folder / "result.json"
    options = ["--rows", str(rows), "--repetitions", "1", "--json", str(path)]
    printed = run("bench.py", name, *options, cache=folder, java=True).stdout
    result: dict[str, Any] = json.loads(path.read_text())
    figures = [*result["ratios"].values(), *result["rows_per_second"].values()]
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    return result, printed


@pytest.mark.nightly
def test_endtoend_compares_with_what_is_installed(tmp_path: Path) -> None:
    result, printed = measured("endtoend", 2_000, tmp_path)
    there = {bar for bar, library in LIBRARIES.items() if find_spec(library)}
    staged = {"staged_vs_direct", "staged_vs_one_process", "staged_vs_daft"}
    if "direct_vs_daft" not in there:
        staged.remove("staged_vs_daft")
    assert set(result["ratios"]) - staged == set(result["bars"]) - (set(LIBRARIES) - there)
    assert staged <= set(result["ratios"])
    for bar, library in LIBRARIES.items():
        left_out = f"{library} is not installed; pip install -e '.[all,bench]'"
        (row,) = [line.split() for line in printed.splitlines() if f" {bar} " in line]
        assert (left_out in printed) == (bar not in there)
        assert (row[-2:] == ["not", "measured"]) == (bar not in there)


@pytest.mark.nightly
def test_skew_tells_how_many_tasks_there_were(tmp_path: Path) -> None:
    result, _ = measured("skew", 20_000, tmp_path)
    assert set(result["ratios"]) == {"slowest_to_median", "jvm_slowest_to_median"}
    assert min(result["ratios"].values()) >= 1
    direct, jvm = (
        int(part.split()[0]) for part in result["workload"].partition("; ")[2].split(", ")
    )
    assert direct > 1
    assert jvm > 1


@pytest.mark.nightly
def test_growth_measures_three_sizes_and_two_clusters(tmp_path: Path) -> None:
    result, _ = measured("growth", 800, tmp_path)
    assert set(result["bars"]) < set(result["ratios"])
    assert list(result["seconds"]) == [
        *("200 rows", "800 rows", "3,200 rows"),
        *("1 executor", "2 executors", "loop, 1 thread", "loop, 2 threads"),
    ]


WRONG = """
import sys
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.parquet.passes import Pass, measure

def writes(keys, scores):
    def write_scores(source, target):
        target.mkdir()
        pq.write_table(pa.table({"id": keys, "score": scores}), target / "part.parquet")
    return Pass(write_scores, Path("rows"), 2)

try:
    measure({"right": writes([1, 0], [0.5, 0.25]), "wrong": writes(KEYS, SCORES)}, 1)
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("keys", "scores", "complaint"),
    [
        ("[0, 1]", "[0.25, 0.5]", ""),
        ("[0, 1]", "[0.5, 0.25]", "scores of wrong differ by up to 0.25 from those of right"),
        ("[0, 1]", "[0.25, float('nan')]", "scores of wrong differ by up to nan from those"),
        (
            "[0]",
            "[0.25]",
            "wrong wrote 1 rows with keys that add up to 0, and not each key below 2",
        ),
        ("[0, 0, 1]", "[0.25, 0.25, 0.5]", "wrong wrote 3 rows"),
        ("[1, 1]", "[0.5, 0.5]", "wrong wrote 2 rows with keys that add up to 2"),
    ],
)
def test_what_contenders_wrote_is_compared(
    keys: str, scores: str, complaint: str, tmp_path: Path
) -> None:
    program = WRONG.replace("KEYS", keys).replace("SCORES", scores)
    printed = run("-c", program, cache=tmp_path).stdout
    assert printed.startswith(complaint)
    assert bool(printed) == bool(complaint)


def test_job_stands_beside_predict(tmp_path: Path) -> None:
    result, _ = measured("job", 2_000, tmp_path)
    assert set(result["bars"]) < set(result["ratios"])
    assert list(result["seconds"]) == [
        *("job", "job, Spark writes", "job, gate", "job, challenger", "predict, write"),
    ]


def test_incremental_runs_stand_beside_a_run_of_all_rows(tmp_path: Path) -> None:
    result, _ = measured("incremental", 500, tmp_path)
    assert set(result["bars"]) < set(result["ratios"])
    assert list(result["seconds"]) == [
        *("all rows", "newest day", "rows of all days", "no row changed"),
    ]
