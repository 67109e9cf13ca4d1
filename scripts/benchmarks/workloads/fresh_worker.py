"""A process that forks a fresh worker for each line it reads, as Spark's daemon does for a task.

Run as a program: ``python -m benchmarks.workloads.fresh_worker`` forks from a bare interpreter,
with ``--preload`` from one that has imported what ``spark_infer.spark.daemon`` preloads.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pyspark import daemon  # noqa: F401 - what any worker of Spark is forked from has it

from benchmarks.harness.conversation import conversation


def fork_server(
    *, preload: bool, cache: Path
) -> AbstractContextManager[Callable[[Mapping[str, Any]], Any]]:
    """Start the program; what this yields hands a task to a fresh worker and returns its scores.

    Args:
        preload: Whether to fork from a process with everything imported.
        cache: Where workers unpack bundles.
    """
    arguments = ["--preload"] if preload else []
    return conversation(__name__, *arguments, SPARK_INFER_CACHE=str(cache))


def serve() -> None:
    """Fork a worker for each task on the standard input."""
    if "--preload" in sys.argv:
        from spark_infer.spark.daemon import preload

        preload()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            print(json.dumps(first_scores(**json.loads(line))), flush=True)
            os._exit(0)
        if os.waitpid(pid, 0)[1] != 0:
            sys.exit(1)


def first_scores(*, digest: str, bundle: str, rows: str, allow_modules: list[str]) -> list[float]:
    """Do what a worker does for its first record batch.

    Args:
        digest: The bundle's digest: it is in the cache, after the first time.
        bundle: The bundle's directory.
        rows: A file in Arrow's format with one record batch.
        allow_modules: Import paths that the bundle may name.
    """
    import pyarrow as pa

    import spark_infer as si
    from spark_infer.runtime import materialise, pack, shared_model

    model = shared_model(
        digest,
        lambda: materialise(digest, lambda: pack(si.Bundle.load(bundle))),
        si.ModelOptions(threads=1),
        allow_modules=allow_modules,
    )
    with pa.ipc.open_file(rows) as file:
        record_batch = file.get_batch(0)
    predictor = si.Predictor(model.model, model.bundle, cache=model.cache)
    scores: list[float] = predictor.predict(record_batch)["score"].to_pylist()
    return scores


if __name__ == "__main__":
    serve()
