"""What the predictor costs beside its model: on one core, over rows that it can do little for.

Thirty packed floats through a network so small that all else shows. The bare loop does the least
that there is to do: it views Arrow's memory, runs the module and wraps what comes out. No Spark.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyarrow as pa
import torch

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads.small_network import (
    FEATURES,
    NUM_FEATURES,
    SIGNATURE,
    network,
    packed_batches,
    random_rows,
)
from spark_infer.backends import load_backend
from spark_infer.backends.torch.backend import view
from spark_infer.metrics import Metrics

RECORD_BATCH_ROWS = 10_000
BARS = {"counting_vs_none": 0.99, "automatic_overlap_vs_none": 0.98}


class Uncounted(Metrics):
    """Counts nothing that takes a call."""

    def timed(self, stage: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def spent(self, stage: Any, seconds: float) -> None:
        pass

    def count_batch(self, num_rows: int, real: int, padded: int) -> None:
        pass


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in this process, on one of its cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    model = network()
    bundle = si.save_bundle(cache_directory() / "overheads_bundle", model, signature=SIGNATURE)
    backend = load_backend(bundle, si.ModelOptions(threads=1))
    layout = si.Layout(bundle.signature, frozenset([FEATURES.name]))
    batches = packed_batches(random_rows(num_rows), RECORD_BATCH_ROWS)

    def stream(metrics: type[Metrics] = Metrics, **options: Any) -> Callable[[], None]:
        def predict() -> None:
            predictor = si.Predictor(
                si.LocalModel(backend),
                layout,
                si.BatchOptions(batch_size=RECORD_BATCH_ROWS, dedupe=False, **options),
                metrics=metrics(),
            )
            for _ in predictor.stream(batches):
                pass

        return predict

    seconds = interleave(
        {
            "bare loop": lambda: bare_loop(model, batches),
            "predictor": stream(),
            "counting nothing": stream(Uncounted),
            "without overlap": stream(overlap=False),
            "with overlap": stream(overlap=True),
        },
        repetitions=repetitions,
    )
    rate = rates(seconds, num_rows)
    return Result(
        benchmark="overheads",
        workload=f"{num_rows:,} rows x {NUM_FEATURES} packed floats, 30-32-16-1 network, one core",
        rows_per_second=rate,
        seconds=seconds,
        ratios={
            "predictor_vs_bare_loop": rate["predictor"] / rate["bare loop"],
            "counting_vs_none": rate["predictor"] / rate["counting nothing"],
            "automatic_overlap_vs_none": rate["predictor"] / rate["without overlap"],
            "overlap_vs_none": rate["with overlap"] / rate["without overlap"],
        },
        bars=BARS,
        machine=describe(),
    )


def bare_loop(model: torch.nn.Module, batches: list[pa.RecordBatch]) -> None:
    """Predict record batches with nothing around the model."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        for batch in batches:
            features = batch.column(0).flatten().to_numpy().reshape(-1, NUM_FEATURES)
            scores = model(view(features))[:, 0]
            pa.record_batch({"score": scores.numpy()})
