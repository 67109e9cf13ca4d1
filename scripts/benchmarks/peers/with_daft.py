"""Daft: a class with a batch method, as its documentation shows for models.

The documentation leaves the batch size to the user: batches of 30,000 to 130,000 rows take the same
time, of 10,000 a fifth more. Processes for the class (``use_process``, ``max_concurrency``) take
five times the processor's time, so Daft chooses, and runs it in its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import daft
import numpy as np

from benchmarks.harness.kept import WriteScores
from benchmarks.harness.machine import NUM_CORES
from benchmarks.workloads.float_files import COLUMNS, KEY, SCORE
from benchmarks.workloads.small_network import one_thread_network, score_columns

BATCH_ROWS = 30_000


@daft.cls
class Scorer:
    """Loads the network once for each pass."""

    def __init__(self) -> None:
        self.model = one_thread_network()

    @daft.method.batch(return_dtype=daft.DataType.float32(), batch_size=BATCH_ROWS)
    def score(self, *columns: daft.Series) -> np.ndarray:
        return score_columns(self.model, [column.to_arrow().to_numpy() for column in columns])


@contextmanager
def started() -> Iterator[WriteScores]:
    """Choose the native runner, with a thread for each core."""
    os.environ |= {"DAFT_PROGRESS_BAR": "0", "DAFT_ANALYTICS_ENABLED": "0"}
    daft.set_runner_native(NUM_CORES)
    yield write_scores


def write_scores(source: Path, target: Path) -> None:
    """Score all files of a folder."""
    rows = daft.read_parquet(f"{source}/*.parquet")
    score = Scorer().score(*(daft.col(name) for name in COLUMNS))
    rows.select(daft.col(KEY), score.alias(SCORE)).write_parquet(str(target))
