"""Rows of which four in five came before: what predicting equal rows once saves.

The model sleeps for a millisecond for each row, as a large one on a busy device would take. Some
rows repeat in their window, some in a later one, where only the cache knows them. No Spark.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyarrow as pa

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.machine import describe
from benchmarks.harness.report import Result
from spark_infer.backends import FunctionBackend

NUM_COLUMNS = 30
COLUMNS = [f"f{index}" for index in range(NUM_COLUMNS)]
DISTINCT_SHARE = 0.2
NUM_RECORD_BATCHES = 8
ROW_SECONDS = 0.001
SIGNATURE = si.Signature(
    inputs=[si.ScalarInput("features", columns=COLUMNS)], outputs=[si.Output("score")]
)
BARS = {"repeats_vs_without": 4.0}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in this process: a second for each thousand rows without dedupe."""
    record_batches = rows(num_rows)
    contenders = {
        "dedupe": _over(record_batches, dedupe=True),
        "dedupe, automatic": _over(record_batches, dedupe="auto"),
        "without": _over(record_batches, dedupe=False),
    }
    check(contenders, num_rows)
    seconds = interleave(contenders, repetitions=repetitions)
    rate = rates(seconds, num_rows)
    return Result(
        benchmark="repeats",
        workload=(
            f"{num_rows:,} rows x {NUM_COLUMNS} floats, {1 - DISTINCT_SHARE:.0%} repeated, "
            f"a model of {ROW_SECONDS * 1000:.0f} ms a row"
        ),
        rows_per_second=rate,
        seconds=seconds,
        ratios={
            "repeats_vs_without": rate["dedupe"] / rate["without"],
            "automatic_repeats_vs_without": rate["dedupe, automatic"] / rate["without"],
        },
        bars=BARS,
        machine=describe(),
    )


def rows(num_rows: int) -> list[pa.RecordBatch]:
    """Return record batches of rows that repeat, in any order."""
    random = np.random.default_rng(0)
    num_distinct = max(1, round(num_rows * DISTINCT_SHARE))
    distinct = random.standard_normal((num_distinct, NUM_COLUMNS), np.float32)
    again = random.integers(num_distinct, size=num_rows - num_distinct)
    values = distinct[random.permutation(np.concatenate([np.arange(num_distinct), again]))]
    table = pa.table({name: values[:, index] for index, name in enumerate(COLUMNS)})
    return table.to_batches(max_chunksize=-(-num_rows // NUM_RECORD_BATCHES))


def model(features: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the rows' sums after a millisecond for each."""
    time.sleep(ROW_SECONDS * len(features))
    return features.sum(axis=1)


def check(contenders: dict[str, Callable[[], pa.Table]], num_rows: int) -> None:
    """Prove that all contenders predict the same."""
    scores = {name: contender()["score"].to_numpy() for name, contender in contenders.items()}
    for name, values in scores.items():
        if len(values) != num_rows or not np.allclose(values, scores["without"], rtol=1e-5):
            raise RuntimeError(f"{name} predicts other scores")


def _over(
    record_batches: list[pa.RecordBatch], *, dedupe: bool | Literal["auto"]
) -> Callable[[], pa.Table]:
    options = si.BatchOptions(batch_size=256, dedupe=dedupe)

    def run() -> pa.Table:
        # A new predictor has an empty cache: the first repetition would serve all others.
        predictor = si.Predictor(si.LocalModel(FunctionBackend(model)), SIGNATURE, options)
        return pa.Table.from_batches(predictor.stream(record_batches))

    return run
