"""Ragged Arrow lists to padded batches with masks: array operations against a loop over rows.

Both contenders take the same record batches in the same order of lengths, on one thread, and
make the same batches. No model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.machine import describe
from benchmarks.harness.report import Result
from benchmarks.workloads.ragged_rows import log_normal_lengths, random_lists
from spark_infer.tensors import Decoder
from spark_infer.tensors.buckets import length_order
from spark_infer.tensors.rows import Rows

BATCH_ROWS = 512
RECORD_BATCH_ROWS = 32_768
SIGNATURE = si.Signature(
    inputs=[si.RaggedInput("tokens", column="tokens", dtype="int64")], outputs=[si.Output("score")]
)
BARS = {"tensors_vs_rows": 8.0}

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in this process."""
    record_batches = rows(num_rows)
    contenders = {"spark_infer": padded_by_arrays, "row by row": padded_by_rows}
    check_equal(record_batches)
    seconds = interleave(
        {name: _over(record_batches, pad) for name, pad in contenders.items()},
        repetitions=repetitions,
    )
    rate = rates(seconds, num_rows)
    return Result(
        benchmark="tensors",
        workload=f"{num_rows:,} lists of int64, mean length 27, padded in batches of {BATCH_ROWS}",
        rows_per_second=rate,
        seconds=seconds,
        ratios={"tensors_vs_rows": rate["spark_infer"] / rate["row by row"]},
        bars=BARS,
        machine=describe(),
    )


def padded_by_arrays(record_batch: pa.RecordBatch) -> Batches:
    """Pad by the library."""
    decoded = Decoder(SIGNATURE).decode(record_batch)
    order = length_order([decoded.lengths("tokens")])
    for start in range(0, len(order), BATCH_ROWS):
        tensors = decoded.tensors(Rows(order[start : start + BATCH_ROWS]))
        yield tensors["tokens"], tensors["tokens_mask"]


def padded_by_rows(record_batch: pa.RecordBatch) -> Batches:
    """Pad row by row, over the lists' own memory."""
    tokens = record_batch.column("tokens")
    values, offsets = tokens.values.to_numpy(), tokens.offsets.to_numpy()
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        padded = np.zeros((len(batch), lengths[batch[0]]), np.int64)
        mask = np.zeros(padded.shape, np.bool_)
        for position, row in enumerate(batch):
            padded[position, : lengths[row]] = values[offsets[row] : offsets[row + 1]]
            mask[position, : lengths[row]] = True
        yield padded, mask


def check_equal(record_batches: list[pa.RecordBatch]) -> None:
    """Prove that both make the same batches."""
    for record_batch in record_batches:
        pairs = zip(padded_by_arrays(record_batch), padded_by_rows(record_batch), strict=True)
        for found, wanted in pairs:
            if not all(map(np.array_equal, found, wanted)):
                raise RuntimeError("the two ways to pad made different batches")


def rows(num_rows: int) -> list[pa.RecordBatch]:
    """Return the lists in record batches."""
    random = np.random.default_rng(0)
    lists = random_lists(log_normal_lengths(num_rows, random), 30_522, random)
    return pa.table({"tokens": lists}).to_batches(max_chunksize=RECORD_BATCH_ROWS)


def _over(
    record_batches: list[pa.RecordBatch], pad: Callable[[pa.RecordBatch], Batches]
) -> Callable[[], None]:
    def run() -> None:
        for record_batch in record_batches:
            for _ in pad(record_batch):
                pass

    return run
