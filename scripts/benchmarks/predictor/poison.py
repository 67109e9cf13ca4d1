"""Rows that make the model raise: what finding them costs, and whether they are found exactly.

A bad row has a category outside of the embedding, so that torch raises ``IndexError`` for its whole
batch. The late contenders show the worst case, a model that raises when all of its work is done.
The small network shows what no search can avoid: a run only says yes or no, so one row in 10,000
takes 13 runs to find, and a run costs as much as a hundred of its rows. No Spark, one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
import torch
from rich.console import Console
from torch import nn

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from spark_infer.backends import load_backend
from spark_infer.backends.torch.backend import TorchBackend

NUM_CATEGORIES = 1_000
NUM_FEATURES = 10
RECORD_BATCH_ROWS = 10_000
ROWS_TO_A_BAD_ONE = 10_000
ROWS_TO_A_TIMED_ONE = 5
POISONED = "1 bad row in 10,000"
WIDTHS = {"small": 128, "large": 1_024}
NUM_HIDDEN = 10
SIGNATURE = si.Signature(
    inputs=[
        si.ScalarInput("features", columns=[f"f{index}" for index in range(NUM_FEATURES)]),
        si.ScalarInput("category", columns=["category"], dtype="int64"),
    ],
    outputs=[si.Output("score")],
)
BARS = {"poison_vs_clean": 0.95, "poison_found": 1.0}


class Network(nn.Module):
    """An embedding beside the features, then two hidden layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(NUM_CATEGORIES, 32)
        self.layers = nn.Sequential(
            nn.Linear(NUM_FEATURES + 32, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, features: torch.Tensor, category: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([features, self.embed(category[:, 0])], 1))


class Late(Network):
    """The same network, which looks at its categories after its work."""

    def forward(self, features: torch.Tensor, category: torch.Tensor) -> torch.Tensor:
        score = super().forward(features, category.clamp(max=NUM_CATEGORIES - 1))
        if bool((category >= NUM_CATEGORIES).any()):
            raise ValueError("a category is unknown")
        return score


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in this process."""
    torch.manual_seed(0)
    small, large = (_load(name, width) for name, width in WIDTHS.items())
    found = found_exactly(small, num_rows)
    num_timed = num_rows // ROWS_TO_A_TIMED_ONE
    every = np.arange(ROWS_TO_A_BAD_ONE // 2, num_timed, ROWS_TO_A_BAD_ONE)
    clean, poisoned = rows(num_timed, ()), rows(num_timed, every)
    late = TorchBackend(Late(WIDTHS["large"]).eval(), ["score"], threads=1)
    contenders = {}
    for name, backend in {"large": large, "large, late": late, "small": small}.items():
        contenders[f"{name}, clean"] = _over(backend, clean)
        contenders[f"{name}, {POISONED}"] = _over(backend, poisoned)
    seconds = interleave(contenders, repetitions=repetitions)
    rate = rates(seconds, num_timed)

    def ratio(name: str) -> float:
        return rate[f"{name}, {POISONED}"] / rate[f"{name}, clean"]

    return Result(
        benchmark="poison",
        workload=(
            f"{num_timed:,} rows x {NUM_FEATURES} floats and a category, networks of "
            f"{' and '.join(f'42-{width}-{width}-1' for width in WIDTHS.values())}"
        ),
        rows_per_second=rate,
        seconds=seconds,
        ratios={
            "poison_vs_clean": ratio("large"),
            "late_poison_vs_clean": ratio("large, late"),
            "small_poison_vs_clean": ratio("small"),
            "poison_found": found,
        },
        bars=BARS,
        machine=describe(),
    )


def _load(name: str, width: int) -> si.Backend:
    path = cache_directory() / f"poison_{name}_bundle"
    return load_backend(
        si.save_bundle(path, Network(width), signature=SIGNATURE), si.ModelOptions(threads=1)
    )


def found_exactly(backend: si.Backend, num_rows: int) -> float:
    """Hide bad rows and print what was found.

    Returns:
        Bad rows found to all rows that are bad or were called so: 1 when all are found and no
        other row is lost.
    """
    hidden = np.random.default_rng(1).choice(num_rows, NUM_HIDDEN, replace=False)
    scores, rejected = predict(backend, rows(num_rows, hidden))
    wanted, _ = predict(backend, rows(num_rows, ()))
    bad = np.zeros(num_rows, np.bool_)
    bad[hidden] = True
    # A batch of another size adds up in another order.
    differs = ~np.isclose(scores, wanted, rtol=1e-4, atol=1e-5)
    num_found = int((rejected & bad).sum())
    num_wrong = int((~bad & (rejected | differs)).sum())
    Console().print(
        f"{num_rows:,} rows, {NUM_HIDDEN} bad: {num_found} found, {num_wrong} other rows lost",
        highlight=False,
    )
    return num_found / (NUM_HIDDEN + num_wrong)


def predict(
    backend: si.Backend, record_batches: Iterable[pa.RecordBatch]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores (NaN where there is none) and which rows were rejected."""
    predictor = si.Predictor(si.LocalModel(backend), SIGNATURE)
    predicted = pa.Table.from_batches(predictor.stream(record_batches))
    scores = predicted["score"].to_numpy()
    return scores, predicted["rejected_reason"].is_valid().to_numpy()


def rows(num_rows: int, bad: Sequence[int] | np.ndarray) -> list[pa.RecordBatch]:
    """Return the same rows each time, but for the bad ones."""
    random = np.random.default_rng(0)
    columns = {
        f"f{index}": random.standard_normal(num_rows, np.float32) for index in range(NUM_FEATURES)
    }
    category = random.integers(NUM_CATEGORIES, size=num_rows)
    category[np.asarray(bad, np.int64)] = NUM_CATEGORIES
    table = pa.table({**columns, "category": category})
    return table.to_batches(max_chunksize=RECORD_BATCH_ROWS)


def _over(backend: si.Backend, record_batches: list[pa.RecordBatch]) -> Callable[[], None]:
    def run() -> None:
        # A new predictor, as a task has: what one learned does not help the next contender.
        for _ in si.Predictor(si.LocalModel(backend), SIGNATURE).stream(record_batches):
            pass

    return run
