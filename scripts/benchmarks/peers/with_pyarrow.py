"""A good loop written by hand: pyarrow and torch in one process, a thread for each of its cores.

Each thread takes one file after the other. Batches are small enough for the processor's cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness.kept import WriteScores
from benchmarks.harness.machine import NUM_CORES
from benchmarks.workloads.float_files import COLUMNS, KEY, SCORE
from benchmarks.workloads.small_network import Network, one_thread_network, score_columns

BATCH_ROWS = 10_000


@contextmanager
def started(num_threads: str = str(NUM_CORES)) -> Iterator[WriteScores]:
    """Load the network.

    Args:
        num_threads: As a program gets it; they share as many cores.
    """
    model = one_thread_network()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(num_threads)])
    with ThreadPoolExecutor(int(num_threads)) as threads:

        def write_scores(source: Path, target: Path) -> None:
            target.mkdir()
            for _ in threads.map(
                partial(score_file, model, target), sorted(source.glob("*.parquet"))
            ):
                pass

        yield write_scores


def score_file(model: Network, target: Path, path: Path) -> None:
    """Write the scores of one file into one of the same name."""
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(BATCH_ROWS, columns=[KEY, *COLUMNS], use_threads=False)
        scored = [score_batch(model, batch) for batch in batches]
    pq.write_table(pa.Table.from_batches(scored), target / path.name)


def score_batch(model: Network, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return keys and scores."""
    scores = score_columns(model, [batch[name].to_numpy() for name in COLUMNS])
    return pa.record_batch({KEY: batch[KEY], SCORE: scores})
