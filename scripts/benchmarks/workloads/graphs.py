"""The benchmarks' networks as ONNX files, and bare ONNX Runtime over them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pyarrow as pa
import torch

from benchmarks.workloads.small_network import NUM_FEATURES, network
from benchmarks.workloads.transformer import make_encoder


def small_graph(folder: Path) -> Path:
    """Export the small network."""
    return _exported(
        folder / "small_network.onnx",
        network(),
        {"features": torch.zeros(2, NUM_FEATURES)},
        {"features": {0: torch.export.Dim("batch")}},
    )


def encoder_graph(folder: Path) -> Path:
    """Export the transformer."""
    shapes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=2, max=512)}
    tokens = torch.zeros(2, 8, dtype=torch.int64)
    given = {"tokens": tokens, "tokens_mask": tokens == 0}
    path = folder / "encoder.onnx"
    return _exported(path, make_encoder(), given, dict.fromkeys(given, shapes))


@cache
def one_thread_session(path: Path) -> ort.InferenceSession:
    """Return bare ONNX Runtime with its own defaults, on one core; once for each worker."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class BareLoop:
    """For ``mapInArrow``: predicts packed record batches with nothing around the session.

    Attributes:
        path: The graph.
    """

    path: Path

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        session = one_thread_session(self.path)
        for batch in batches:
            features = batch.column(0).flatten().to_numpy().reshape(-1, NUM_FEATURES)
            (scores,) = session.run(["score"], {"features": features})
            yield pa.RecordBatch.from_arrays([pa.array(scores[:, 0])], names=["score"])


@dataclass(frozen=True)
class SortedGraph:
    """For ``mapInArrow``: sorts a whole partition by length and cuts it by a token budget.

    Attributes:
        path: The graph.
        max_tokens: Most rows x longest of a batch.
    """

    path: Path
    max_tokens: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        table = pa.Table.from_batches(batches).combine_chunks()
        tokens, ids = table["tokens"].chunk(0), table["id"].chunk(0)
        values, offsets = tokens.values.to_numpy(), tokens.offsets.to_numpy()
        lengths = np.diff(offsets)
        order = np.argsort(-lengths, kind="stable")
        session = one_thread_session(self.path)
        scores = np.empty(len(order), np.float32)
        start = 0
        while start < len(order):
            rows = order[start : start + max(self.max_tokens // lengths[order[start]], 1)]
            mask = np.arange(lengths[rows].max()) < lengths[rows][:, None]
            padded = np.zeros(mask.shape, np.int64)
            padded[mask] = np.concatenate([values[offsets[row] : offsets[row + 1]] for row in rows])
            (scores[rows],) = session.run(["score"], {"tokens": padded, "tokens_mask": mask})
            start += len(rows)
        yield pa.RecordBatch.from_arrays([ids, pa.array(scores)], names=["id", "score"])


def _exported(
    path: Path,
    module: torch.nn.Module,
    given: dict[str, torch.Tensor],
    shapes: dict[str, dict[int, Any]],
) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            tuple(given.values()),
            dynamo=True,
            dynamic_shapes=tuple(shapes.values()),
            input_names=list(given),
            output_names=["score"],
            verbose=False,
        )
    assert program is not None
    program.save(path)
    return path
