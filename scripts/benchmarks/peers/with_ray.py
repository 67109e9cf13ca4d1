"""Ray Data: ``map_batches`` with a class, as its documentation shows for models.

The documentation leaves the batch size and the number of actors to the user. One actor leaves the
other core to the tasks that read and write; two with half a core each took longer, and batches of
NumPy arrays no less than tables. Actors start anew for each pass: that is how Ray Data runs them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import ray

from benchmarks.harness.kept import WriteScores
from benchmarks.harness.machine import NUM_CORES
from benchmarks.workloads.float_files import COLUMNS, KEY, SCORE
from benchmarks.workloads.small_network import one_thread_network, score_columns

BATCH_ROWS = 10_000
NUM_ACTORS = 1
OBJECT_STORE_BYTES = 2 * 2**30


class Scorer:
    """Loads the network once for each actor."""

    def __init__(self) -> None:
        self.model = one_thread_network()

    def __call__(self, batch: pa.Table) -> pa.Table:
        scores = score_columns(self.model, [batch[name].to_numpy() for name in COLUMNS])
        return pa.table({KEY: batch[KEY], SCORE: scores})


@contextmanager
def started() -> Iterator[WriteScores]:
    """Start Ray on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=NUM_CORES,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield write_scores
    finally:
        ray.shutdown()


def write_scores(source: Path, target: Path) -> None:
    """Score all files of a folder."""
    rows = ray.data.read_parquet(str(source), file_extensions=["parquet"])
    scored = rows.map_batches(
        Scorer,
        batch_size=BATCH_ROWS,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=NUM_ACTORS),
        udf_modifying_row_count=False,
    )
    scored.write_parquet(str(target))
