"""The benchmark of ONNX models, over few rows: it needs Java."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.benchmarks.program import run


@pytest.mark.nightly
def test_onnx_compares_with_bare_loops_and_with_the_exported_programs(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    options = ["--rows", "2000", "--repetitions", "1", "--json", str(path)]
    run("bench.py", "onnx", *options, cache=tmp_path, java=True)
    result = json.loads(path.read_text())
    assert set(result["bars"]) <= set(result["ratios"])
    figures = [*result["ratios"].values(), *result["rows_per_second"].values()]
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
