"""Parquet files with a key and thirty floats a row, of any sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness.machine import cache_directory
from benchmarks.workloads.small_network import FEATURES

KEY = "id"
SCORE = "score"
COLUMNS = list(FEATURES.column_names)
NUM_FILES = 8
ROW_GROUP_ROWS = 250_000


def even_files(num_rows: int, num_files: int = NUM_FILES) -> Path:
    """Return a folder with files of one size."""
    bounds = np.linspace(0, num_rows, num_files + 1).astype(int)
    return float_files(f"floats_{num_rows}_in_{num_files}", np.diff(bounds).tolist())


def float_files(name: str, file_rows: Sequence[int], row_group_rows: int = ROW_GROUP_ROWS) -> Path:
    """Return a folder with files of so many rows, generating it on first use.

    The keys are the numbers from 0 on.
    """
    path = cache_directory() / name
    done = path / "_SUCCESS"
    if done.exists():
        return path
    path.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    first = 0
    for file, rows in enumerate(file_rows):
        keys = {KEY: np.arange(first, first + rows)}
        values = {name: random.standard_normal(rows, np.float32) for name in COLUMNS}
        table = pa.table({**keys, **values})
        pq.write_table(table, path / f"part-{file:03}.parquet", row_group_size=row_group_rows)
        first += rows
    done.touch()
    return path
