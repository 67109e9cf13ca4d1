"""What users write by hand to score ragged rows with a torch module in Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column
from pyspark.sql.types import FloatType

from benchmarks.workloads.transformer import Encoder, load_encoder, score_tokens

PEER_BATCH_ROWS = 64


def batch_udf(bundle: Path, precision: str) -> Callable[..., Column]:
    """Return pyspark's ``predict_batch_udf`` over the columns ``tokens`` and ``id``.

    A function of one column only ever gets its batches stacked by ``numpy.vstack``, which refuses
    rows of different lengths; the usual ways around it pad each row to the longest of the whole
    table (ten times the work here) or send strings and parse them. A function of two columns
    without tensor shapes gets its rows as they are, an object array of arrays: the fastest way
    there is, and the one used. The second column does nothing else. Batches are cut in the order
    in which rows arrive and padded to their own longest row.
    """

    def make() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        model = one_thread_encoder(bundle, precision)

        def predict(tokens: np.ndarray, ids: np.ndarray) -> np.ndarray:
            lengths = np.array([len(row) for row in tokens])
            return score_rows(model, np.concatenate(tokens), lengths, precision)

        return predict

    return predict_batch_udf(
        # pyspark's type for this is a function of one column.
        make,  # type: ignore[arg-type]
        return_type=FloatType(),
        batch_size=PEER_BATCH_ROWS,
        input_tensor_shapes=[None, None],
    )


@dataclass(frozen=True)
class SortedLoop:
    """For ``mapInArrow``: sorts a whole partition by length and cuts it by a token budget.

    Attributes:
        bundle: Where the weights are.
        precision: Type of the weights and of the matrix products.
        max_tokens: Most rows x longest of a batch.
    """

    bundle: Path
    precision: str
    max_tokens: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        table = pa.Table.from_batches(batches).combine_chunks()
        tokens = table["tokens"].chunk(0)
        values, offsets = tokens.values.to_numpy(), tokens.offsets.to_numpy()
        lengths = np.diff(offsets)
        order = np.argsort(-lengths, kind="stable")
        model = one_thread_encoder(self.bundle, self.precision)
        scores = np.empty(len(order), np.float32)
        start = 0
        while start < len(order):
            rows = order[start : start + max(self.max_tokens // lengths[order[start]], 1)]
            batch = np.concatenate([values[offsets[row] : offsets[row + 1]] for row in rows])
            scores[rows] = score_rows(model, batch, lengths[rows], self.precision)
            start += len(rows)
        ids = table["id"].chunk(0)
        yield pa.RecordBatch.from_arrays([ids, pa.array(scores)], names=["id", "score"])


@cache
def one_thread_encoder(bundle: Path, precision: str) -> Encoder:
    """Load the encoder once for each worker, which runs one task at a time."""
    torch.set_num_threads(1)
    return load_encoder(bundle, precision)


def score_rows(
    model: Encoder, values: np.ndarray, lengths: np.ndarray, precision: str
) -> np.ndarray:
    """Pad rows that lie end to end to the longest, and run them."""
    mask = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros(mask.shape, np.int64)
    padded[mask] = values
    scores = score_tokens(model, torch.from_numpy(padded), torch.from_numpy(mask), precision)
    return scores.numpy()
