"""Every benchmark as far as it needs no Spark, over few rows: it works, its figures are there."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from tests.benchmarks.program import run

GPU_ON_CPU = """
from pathlib import Path
import sys
from benchmarks.predictor import gpu
from benchmarks.harness.report import write_json
write_json(gpu.run(64, 1, device="cpu"), Path(sys.argv[1]))
"""

FEW_ROWS = {"startup": ["--no-spark", "--rows", "3"]}


@pytest.mark.parametrize(
    "name", ["tensors", "repeats", "poison", "overheads", "memory", "startup", "gpu"]
)
def test_a_benchmark_runs_and_says_what_it_measured(name: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    if name == "gpu":
        run("-c", GPU_ON_CPU, str(path), cache=tmp_path)
    else:
        options = FEW_ROWS.get(name, ["--rows", "2000"])
        run("bench.py", name, *options, "--repetitions", "1", "--json", str(path), cache=tmp_path)
    result = json.loads(path.read_text())
    assert set(result["bars"]) <= set(result["ratios"])
    figures = [*result["ratios"].values(), *result["rows_per_second"].values()]
    assert figures
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)


def test_quick_times_each_contender_once_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    said = run("bench.py", "tensors", "--quick", "--json", str(path), cache=tmp_path).stderr
    seconds = json.loads(path.read_text())["seconds"]
    assert [len(values) for values in seconds.values()] == [1, 1]
    warm_up, repetition = said.splitlines()
    assert warm_up.startswith("warm-up: spark_infer ")
    assert re.fullmatch(r"repetition 1 of 1: spark_infer \S+ s; row by row \S+ s", repetition)


def test_a_line_for_each_repetition(tmp_path: Path) -> None:
    options = ["--rows", "100", "--repetitions", "3"]
    said = run("bench.py", "tensors", *options, cache=tmp_path).stderr
    lines = [line.partition(":")[0] for line in said.splitlines()]
    assert lines == ["warm-up", *(f"repetition {number} of 3" for number in (1, 2, 3))]
