"""A predictor fed with Arrow on the host, against a loop over data that the GPU already holds.

The loop pads nothing, copies nothing and unpacks nothing: its batches were cut before it starts,
from all rows at once, sorted by length. It gets the best of several batch sizes. For the small
network there is one more loop, over pinned host memory: what the bus to the device allows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import torch

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads.ragged_rows import log_normal_lengths, random_lists
from benchmarks.workloads.small_network import (
    FEATURES,
    NUM_FEATURES,
    SIGNATURE,
    network,
    packed_batches,
    random_rows,
)
from benchmarks.workloads.transformer import VOCABULARY, encoder_bundle, load_encoder

TOKEN_BUDGETS = (16_384, 65_536, 262_144)
BATCH_SIZES = (16_384, 131_072, 1_048_576)
RECORD_BATCH_ROWS = 32_768
TABULAR_FACTOR = 40
"""The small network needs more rows than the transformer to run for a while."""

BARS = {"gpu_transformer_vs_loop": 0.9, "gpu_tabular_vs_loop": 0.9}

Loop = Callable[[], np.ndarray]
Batch = tuple[torch.Tensor, ...]


def run(num_rows: int, repetitions: int, *, device: str = "cuda") -> Result:
    """Run the benchmark in this process.

    Args:
        num_rows: Rows for the transformer; the small network gets forty times as many.
        repetitions: How often each contender runs.
        device: Where; ``"cpu"`` only shows that the benchmark works.
    """
    if device != "cpu" and not torch.cuda.is_available():
        sys.exit(f"bench gpu: torch {torch.__version__} sees no CUDA device, so nothing was run")
    many = TABULAR_FACTOR * num_rows
    transformers = transformer_contenders(num_rows, device)
    tabulars = tabular_contenders(many, device)
    check_equal(transformers, tolerance=0.05)
    check_equal(tabulars, tolerance=1e-4)
    seconds = interleave({**transformers, **tabulars}, repetitions=repetitions)
    transformer_rates = rates({name: seconds[name] for name in transformers}, num_rows)
    tabular_rates = rates({name: seconds[name] for name in tabulars}, many)
    from_host = tabular_rates["tabular, loop from host memory"]
    return Result(
        benchmark="gpu",
        workload=(
            f"{num_rows:,} rows of 1 to 256 tokens through 6 layers in bfloat16, {many:,} rows x "
            f"{NUM_FEATURES} floats through a 30-32-16-1 network in float32"
        ),
        rows_per_second=transformer_rates | tabular_rates,
        seconds=seconds,
        ratios={
            "gpu_transformer_vs_loop": _against_best_loop(transformer_rates),
            "gpu_tabular_vs_loop": _against_best_loop(tabular_rates),
            "gpu_tabular_vs_host_loop": tabular_rates["tabular, predictor"] / from_host,
        },
        bars=BARS,
        machine=describe() | _describe(device),
    )


def transformer_contenders(num_rows: int, device: str) -> dict[str, Loop]:
    """Return the predictor and the loops over ragged token lists."""
    random = np.random.default_rng(0)
    tokens = random_lists(log_normal_lengths(num_rows, random), VOCABULARY, random)
    bundle = encoder_bundle(cache_directory() / "gpu_encoder_bundle")
    options = si.BatchOptions(device=device, precision="bfloat16", cache_bytes=0)
    predictor = si.Predictor(si.load_model(bundle, options), bundle, options)
    rows = pa.table({"tokens": tokens}).to_batches(max_chunksize=RECORD_BATCH_ROWS)
    contenders = {"transformer, predictor": _stream(predictor, rows)}
    # The same arithmetic as the backend's: matrices in bfloat16, the rest under autocast.
    model = load_encoder(bundle.path, "bfloat16").to(device)
    for max_tokens in TOKEN_BUDGETS:
        batches, order = padded_batches(tokens, max_tokens, device)
        name = f"transformer, loop of {max_tokens:,} tokens"
        contenders[name] = _loop(model, batches, order, device, torch.bfloat16)
    return contenders


def tabular_contenders(num_rows: int, device: str) -> dict[str, Loop]:
    """Return the predictor and the loops over thirty features."""
    values = random_rows(num_rows)
    bundle = si.save_bundle(
        cache_directory() / "gpu_tabular_bundle", network(), signature=SIGNATURE
    )
    options = si.BatchOptions(device=device, cache_bytes=0)
    predictor = si.Predictor(
        si.load_model(bundle, options),
        si.Layout(bundle.signature, frozenset([FEATURES.name])),
        options,
    )
    batches = packed_batches(values, RECORD_BATCH_ROWS)
    contenders = {"tabular, predictor": _stream(predictor, batches)}
    model = network().to(device)
    host = torch.from_numpy(values)
    held = host.to(device)
    order = np.arange(num_rows)
    for size in BATCH_SIZES:
        batches = [(batch,) for batch in held.split(size)]
        contenders[f"tabular, loop of {size:,} rows"] = _loop(model, batches, order, device)
    pinned = host if device == "cpu" else host.pin_memory()
    batches = [(batch,) for batch in pinned.split(RECORD_BATCH_ROWS)]
    contenders["tabular, loop from host memory"] = _loop(model, batches, order, device)
    return contenders


def padded_batches(
    tokens: pa.ListArray, max_tokens: int, device: str
) -> tuple[list[Batch], np.ndarray]:
    """Sort rows by length, cut them by the budget, and put the padded batches on the device.

    Returns:
        The batches, and the row of each of their rows.
    """
    values, offsets = tokens.values.to_numpy(), tokens.offsets.to_numpy()
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    batches: list[Batch] = []
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        rows = order[start : start + max(max_tokens // longest, 1)]
        mask = np.arange(longest) < lengths[rows, None]
        padded = np.zeros(mask.shape, np.int64)
        padded[mask] = np.concatenate([values[offsets[row] : offsets[row + 1]] for row in rows])
        batches.append((torch.from_numpy(padded).to(device), torch.from_numpy(mask).to(device)))
        start += len(rows)
    return batches, order


def check_equal(contenders: dict[str, Loop], tolerance: float) -> None:
    """Prove that all contenders compute the same scores, to a share of their deviation."""
    reference, *others = [(name, contender()) for name, contender in contenders.items()]
    for name, scores in others:
        difference = np.abs(scores - reference[1]).max() / reference[1].std()
        if not difference <= tolerance:
            raise RuntimeError(f"{name} and {reference[0]} differ by {difference:.3f} deviations")


def _stream(predictor: si.Predictor, batches: Sequence[pa.RecordBatch]) -> Loop:
    def predict() -> np.ndarray:
        predicted = predictor.stream(iter(batches))
        return np.concatenate([batch["score"].to_numpy() for batch in predicted])

    return predict


def _loop(
    model: torch.nn.Module,
    batches: Sequence[Batch],
    order: np.ndarray,
    device: str,
    precision: torch.dtype | None = None,
) -> Loop:
    """Return a function that runs all batches and waits once, for all scores together."""
    kind = torch.device(device).type

    def predict() -> np.ndarray:
        with (
            torch.inference_mode(),
            torch.autocast(kind, dtype=precision, enabled=precision is not None),
        ):
            outputs = [
                model(*(tensor.to(device, non_blocking=True) for tensor in batch)).flatten()
                for batch in batches
            ]
            found = torch.cat(outputs).float().cpu().numpy()
        scores = np.empty_like(found)
        scores[order] = found
        return scores

    return predict


def _against_best_loop(rate: dict[str, float]) -> float:
    loops = [value for name, value in rate.items() if " loop of " in name]
    (predictor,) = (value for name, value in rate.items() if name.endswith("predictor"))
    return predictor / max(loops)


def _describe(device: str) -> dict[str, str]:
    if device == "cpu":
        return {"device": "cpu"}
    return {"device": torch.cuda.get_device_name(device), "cuda": str(torch.version.cuda)}
