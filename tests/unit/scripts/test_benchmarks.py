"""Every benchmark that needs no Spark, over few rows: it works, and its figures are there."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"
GPU_ON_CPU = """
from pathlib import Path
import sys
from benchmarks import gpu
from benchmarks.harness.report import write_json
write_json(gpu.run(64, 1, device="cpu"), Path(sys.argv[1]))
"""


def run(*command: str, cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=SCRIPTS,
        env={"PATH": "", "PYTHONPATH": str(SCRIPTS.parent), "XDG_CACHE_HOME": str(cache)},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["tensors", "repeats", "poison", "overheads", "memory", "gpu"])
def test_a_benchmark_runs_and_says_what_it_measured(name: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    if name == "gpu":
        run("-c", GPU_ON_CPU, str(path), cache=tmp_path)
    else:
        options = ["--rows", "2000", "--repetitions", "1", "--json", str(path)]
        run("bench.py", name, *options, cache=tmp_path)
    result = json.loads(path.read_text())
    assert set(result["bars"]) <= set(result["ratios"])
    figures = [*result["ratios"].values(), *result["rows_per_second"].values()]
    assert figures
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
