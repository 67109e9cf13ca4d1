"""The first prediction of a fresh worker: what loading a stored program costs beside a class.

Each repetition forks a worker, as Spark does for a task that finds none: from a process that has
imported what ``spark_infer.spark.daemon`` preloads, and from a bare one. It loads the model and
predicts a few rows. In Spark each query gets a fresh worker.

The transformer has as many operators as a large one, and few weights: what it costs to make its
graph is not hidden behind the random weights that a class makes before its own are put in.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session, noop
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads import small_network, transformer
from benchmarks.workloads.fresh_worker import fork_server
from benchmarks.workloads.ragged_rows import log_normal_lengths, random_lists

ALLOWED = ["benchmarks"]
WIDTH = 48
TOLERANCE = 1e-5
FRESH_WORKERS = {"spark.python.worker.reuse": "false"}
PRELOADED = "preloaded_vs_bare"
MOST = 1.3
"""Of the seconds with a class, that a stored program may take."""


@dataclass(frozen=True)
class Workload:
    """One network saved in both formats, and rows for it.

    Attributes:
        export: The network as a stored program.
        module: The same weights beside the path of its class.
        rows: A Parquet file, with the same in Arrow's format beside it.
    """

    export: si.Bundle
    module: si.Bundle
    rows: Path

    def task(self, bundle: si.Bundle) -> dict[str, Any]:
        """Return what a fresh worker is told to predict."""
        return {
            "digest": bundle.digest,
            "bundle": str(bundle.path),
            "rows": str(self.rows.with_suffix(".arrow")),
            "allow_modules": ALLOWED,
        }


def run(num_rows: int, repetitions: int, spark: bool = True) -> Result:
    """Run the benchmark.

    Args:
        num_rows: Rows of the first prediction.
        repetitions: Fresh workers of each contender.
        spark: Whether to start Spark for the contenders that need it.
    """
    networks = workloads(num_rows)
    with ExitStack() as stack:
        cache = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fork = {
            kind: stack.enter_context(fork_server(preload=kind == "preloaded", cache=cache))
            for kind in ("bare", "preloaded")
        }
        contenders: dict[str, Callable[[], object]] = {}
        for kind, names in {"preloaded": list(networks), "bare": ["small"]}.items():
            for name in names:
                check_equal(networks[name], fork[kind])
                contenders |= forked(f"{kind}, {name}", networks[name], fork[kind])
        if spark:
            contenders |= in_spark(networks, stack)
        seconds = interleave(contenders, repetitions=repetitions)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    pairs = [name.removesuffix(", export") for name in medians if name.endswith(", export")]
    ratios = {
        f"{pair}: export_vs_module": medians[f"{pair}, export"] / medians[f"{pair}, module"]
        for pair in pairs
    }
    return Result(
        benchmark="startup",
        workload=f"first {num_rows:,} rows of a fresh worker, 30-32-16-1 network and transformer",
        rows_per_second=rates(seconds, num_rows),
        seconds=seconds,
        ratios={
            **ratios,
            PRELOADED: medians["bare, small, export"] / medians["preloaded, small, export"],
        },
        bars=dict.fromkeys(ratios, MOST) | {PRELOADED: 5.0},
        at_most=list(ratios),
        machine=describe(),
    )


def workloads(num_rows: int) -> dict[str, Workload]:
    """Return the small network and the transformer."""
    random = np.random.default_rng(0)
    features = small_network.random_rows(num_rows)
    names = small_network.FEATURES.column_names
    tokens = random_lists(log_normal_lengths(num_rows, random), transformer.VOCABULARY, random)
    return {
        "small": _saved(
            "small",
            small_network.network(),
            {},
            small_network.SIGNATURE,
            pa.table({name: features[:, index] for index, name in enumerate(names)}),
        ),
        "transformer": _saved(
            "transformer",
            transformer.make_encoder(WIDTH),
            {"width": WIDTH},
            transformer.SIGNATURE,
            pa.table({"tokens": tokens}),
        ),
    }


def forked(
    name: str, workload: Workload, fork: Callable[[Mapping[str, Any]], list[float]]
) -> dict[str, Callable[[], object]]:
    """Return contenders that each fork a worker."""
    export, module = (workload.task(bundle) for bundle in (workload.export, workload.module))
    return {f"{name}, export": lambda: fork(export), f"{name}, module": lambda: fork(module)}


def in_spark(networks: Mapping[str, Workload], stack: ExitStack) -> dict[str, Callable[[], object]]:
    """Return contenders that each run a query, in a session that ends with the stack."""
    spark = stack.enter_context(local_session("startup", FRESH_WORKERS))
    contenders: dict[str, Callable[[], object]] = {}
    for name, workload in networks.items():
        df = spark.read.parquet(str(workload.rows))
        for kind in ("export", "module"):
            bundle = getattr(workload, kind)
            query = partial(si.predict, df, bundle, keep=[], allow_modules=ALLOWED)
            contenders[f"Spark, {name}, {kind}"] = noop(query)
    return contenders


def check_equal(workload: Workload, fork: Callable[[Mapping[str, Any]], list[float]]) -> None:
    """Prove that both formats compute the same scores in a fresh worker."""
    export, module = (fork(workload.task(b)) for b in (workload.export, workload.module))
    if not np.allclose(export, module, rtol=TOLERANCE, atol=TOLERANCE):
        raise RuntimeError(f"{workload.export.name} scores {export}, as a class {module}")


def _saved(
    name: str,
    model: torch.nn.Module,
    arguments: Mapping[str, Any],
    signature: si.Signature,
    rows: pa.Table,
) -> Workload:
    folder = cache_directory()
    path = f"{type(model).__module__}:{type(model).__name__}"
    file = folder / f"startup_{name}_{len(rows)}.parquet"
    pq.write_table(rows, file)
    # Spark's workers get Arrow's format, and never load what reads Parquet.
    with pa.ipc.new_file(file.with_suffix(".arrow"), rows.schema) as arrow:
        arrow.write_table(rows)
    return Workload(
        si.save_bundle(folder / f"startup_{name}_export", model, signature=signature),
        si.save_bundle(
            folder / f"startup_{name}_module",
            model,
            signature=signature,
            format="module",
            module=path,
            arguments=arguments,
        ),
        file,
    )
