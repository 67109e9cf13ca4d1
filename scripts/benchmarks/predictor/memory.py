"""Resident memory while a predictor streams: it must not grow with the rows.

A process of its own makes record batches on the fly and predicts them, so that what it holds is
what the predictor holds. Linux only: it reads ``/proc``.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from torch import nn

import spark_infer as si
from benchmarks.harness.interleave import rates
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads.ragged_rows import random_lists

NUM_FEATURES = 10
NUM_IDS = 1_000
RECORD_BATCH_ROWS = 10_000
SAMPLE_SECONDS = 2.0
SETTLED_SECONDS = 60.0
CHART_LINES = 20
CHART_WIDTH = 50
MIB = 2**20
GROWTH = "memory_growth"
BARS = {GROWTH: 1.05}


class Network(nn.Module):
    """The mean of the history's embeddings beside the features, then 26-32-1."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(NUM_IDS, 16)
        self.layers = nn.Sequential(nn.Linear(NUM_FEATURES + 16, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(
        self, features: torch.Tensor, history: torch.Tensor, history_mask: torch.Tensor
    ) -> torch.Tensor:
        real = history_mask.unsqueeze(2)
        mean = (self.embed(history) * real).sum(1) / real.sum(1).clamp(min=1)
        return self.layers(torch.cat([features, mean], 1))


@dataclass(frozen=True)
class Sample:
    """Resident memory at one time.

    Attributes:
        seconds: Since the first record batch.
        num_rows: Predicted so far.
        resident_bytes: Of the process.
    """

    seconds: float
    num_rows: int
    resident_bytes: int


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark, each repetition in a process of its own; the worst growth counts."""
    bundle = _save_bundle(cache_directory() / "memory_bundle")
    curves = [_in_process(bundle, num_rows) for _ in range(repetitions)]
    for curve in curves:
        print_chart(curve)
    seconds = {"stream": [curve[-1].seconds for curve in curves]}
    return Result(
        benchmark="memory",
        workload=f"{num_rows:,} rows: {NUM_FEATURES} floats and lists of mean length 8",
        rows_per_second=rates(seconds, num_rows),
        seconds=seconds,
        ratios={GROWTH: max(growth(curve) for curve in curves)},
        bars=BARS,
        at_most=[GROWTH],
        machine=describe(),
    )


def growth(curve: list[Sample]) -> float:
    """Return memory at the end to memory after a minute, or after a third of a shorter run."""
    settled = min(SETTLED_SECONDS, curve[-1].seconds / 3)
    start = next(sample for sample in curve if sample.seconds >= settled)
    return curve[-1].resident_bytes / start.resident_bytes


def print_chart(curve: list[Sample]) -> None:
    """Print the curve as bars, thinned out to what fits a screen."""
    most = max(sample.resident_bytes for sample in curve)
    table = Table("seconds", "rows", "MiB", "", box=None)
    for sample in curve[:: -(-len(curve) // CHART_LINES)]:
        bar = Bar(most, 0, sample.resident_bytes, width=CHART_WIDTH)
        table.add_row(*_words(sample), bar)
    Console(highlight=False).print(table)


def stream(bundle_path: Path, num_rows: int) -> list[Sample]:
    """Predict generated rows and sample this process's memory."""
    bundle = si.Bundle.load(bundle_path)
    predictor = si.Predictor(si.load_model(bundle, si.ModelOptions(threads=1)), bundle)
    console = Console(highlight=False)
    curve: list[Sample] = []
    predicted = 0
    start = time.perf_counter()
    for record_batch in predictor.stream(_record_batches(num_rows)):
        predicted += record_batch.num_rows
        elapsed = time.perf_counter() - start
        if not curve or elapsed >= curve[-1].seconds + SAMPLE_SECONDS or predicted == num_rows:
            curve.append(Sample(elapsed, predicted, _resident_bytes()))
            console.print("{} s, {} rows, {} MiB".format(*_words(curve[-1])))
    return curve


def _in_process(bundle: Path, num_rows: int) -> list[Sample]:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(stream, bundle, num_rows).result()


def _record_batches(num_rows: int) -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng(0)
    for start in range(0, num_rows, RECORD_BATCH_ROWS):
        rows = min(RECORD_BATCH_ROWS, num_rows - start)
        lengths = random.integers(1, 16, size=rows)
        columns = {
            f"f{index}": random.standard_normal(rows, np.float32) for index in range(NUM_FEATURES)
        }
        yield pa.RecordBatch.from_pydict(
            {**columns, "history": random_lists(lengths, NUM_IDS, random)}
        )


def _save_bundle(path: Path) -> Path:
    torch.manual_seed(0)
    columns = [f"f{index}" for index in range(NUM_FEATURES)]
    signature = si.Signature(
        inputs=[
            si.ScalarInput("features", columns=columns),
            si.RaggedInput("history", column="history", dtype="int64"),
        ],
        outputs=[si.Output("score")],
    )
    return si.save_bundle(path, Network(), signature=signature).path


def _resident_bytes() -> int:
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def _words(sample: Sample) -> tuple[str, str, str]:
    mebibytes = sample.resident_bytes / MIB
    return f"{sample.seconds:.1f}", f"{sample.num_rows:,}", f"{mebibytes:,.0f}"
