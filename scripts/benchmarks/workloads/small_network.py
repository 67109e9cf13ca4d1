"""Thirty floats a row, and the network that scores them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch

import spark_infer as si
from spark_infer.tensors import packed_name

NUM_FEATURES = 30
FEATURES = si.ScalarInput("features", columns=[f"f{index}" for index in range(NUM_FEATURES)])
SIGNATURE = si.Signature(inputs=[FEATURES], outputs=[si.Output("score")])


class Network(torch.nn.Sequential):
    """30-32-16-1."""

    def __init__(self) -> None:
        super().__init__(
            torch.nn.Linear(NUM_FEATURES, 32),
            torch.nn.ReLU(),
            torch.nn.Linear(32, 16),
            torch.nn.ReLU(),
            torch.nn.Linear(16, 1),
        )


def network() -> Network:
    """Return the network with seeded random weights."""
    torch.manual_seed(0)
    return Network()


def one_thread_network() -> Network:
    """Return the same network for a process that has a thread for each core already."""
    torch.set_num_threads(1)
    return network().eval()


def score_columns(model: Network, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return the scores [n] of float32 columns [n].

    The columns are copied as they lie, one after the other: torch takes the transposed tensor.
    """
    with torch.inference_mode():
        return model(torch.from_numpy(np.stack(columns)).T).numpy()[:, 0]


def random_rows(num_rows: int) -> np.ndarray:
    """Return float32 [n, 30]."""
    return np.random.default_rng(0).standard_normal((num_rows, NUM_FEATURES), np.float32)


def packed_batches(values: np.ndarray, batch_rows: int) -> list[pa.RecordBatch]:
    """Return record batches as Spark sends them: the features of a row packed into one list."""
    offsets = np.arange(0, values.size + 1, NUM_FEATURES, dtype=np.int32)
    lists = pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
    whole = pa.record_batch({packed_name(FEATURES): lists})
    return [whole.slice(start, batch_rows) for start in range(0, len(values), batch_rows)]
