"""What Spark forks its Python workers from."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("torch")

pytestmark = pytest.mark.processes

FORKS = """
import os
from spark_infer.spark.daemon import preload

preload()
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        import random
        import numpy as np
        import torch
        print(random.random(), np.random.rand(), torch.rand(1).item(), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_workers_draw_different_random_numbers() -> None:
    run = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    drawn = [line.split() for line in run.stdout.splitlines()]
    assert len(drawn) == 3
    for of_library in zip(*drawn, strict=True):
        assert len(set(of_library)) == 3
