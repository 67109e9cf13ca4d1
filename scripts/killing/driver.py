"""A process that runs a job as often as it is told to, and may be killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ERRORS = "errors"
"""The file in a driver's folder with what its processes have complained about."""

_PROGRAM = """
import json, sys

import torch

import spark_infer as si
from spark_infer.spark import session
from spark_infer.spark.driver import jvm

job = si.ScoringJob.load("job.yaml")
target, jdbc = job.config.target.table, job.config.target.jdbc
jvm.start(job.config.spark)  # A session would hold the catalog, which one process at a time can.


def rows(table, *columns):
    if jdbc is None or table != target:
        found = spark.table(table)
    else:
        place = {"url": jdbc.url, "driver": "org.postgresql.Driver", **jdbc.credentials()}
        found = spark.read.format("jdbc").options(dbtable=table, **place).load()
    return [list(row) for row in found.select(*columns).orderBy(*columns).collect()]


for _ in sys.stdin:
    spark = session("chaos", job.config.spark)
    namespace = target.rpartition(".")[0]
    if namespace and jdbc is None:
        spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {namespace}")
    job.run(spark, on_step=lambda step: print("STEP", step, flush=True))
    quarantine = job.config.quarantine.table
    found = {"scores": rows(target, "id", "day", "score"), "rejected": []}
    if spark.catalog.tableExists(quarantine):
        found["rejected"] = [number for (number,) in rows(quarantine, "id")]
    print("FOUND", json.dumps(found), flush=True)
"""


class Found(NamedTuple):
    """What a run has left.

    Attributes:
        scores: Of each row of the target its number, day and score.
        rejected: The numbers of the rows in the quarantine.
    """

    scores: list[list[Any]]
    rejected: list[int]

    def difference(self, expected: Found) -> str:
        """Return what is otherwise than expected, in a few rows; ``""`` where nothing is."""
        parts = []
        pairs: list[tuple[str, list[Any], list[Any]]] = [
            ("rows", self.scores, expected.scores),
            ("rejected ones", self.rejected, expected.rejected),
        ]
        for name, ours, theirs in pairs:
            if ours != theirs:
                more = [row for row in ours if row not in theirs]
                less = [row for row in theirs if row not in ours]
                parts.append(
                    f"{len(ours)} {name} instead of {len(theirs)}, {len(more)} more {more[:3]}, "
                    f"{len(less)} less {less[:3]}"
                )
        return "; ".join(parts)


class Driver:
    """Starts at once, and uses no catalog before it is told to run.

    Args:
        folder: Its current directory, with ``job.yaml``.
    """

    def __init__(self, folder: Path) -> None:
        self._errors = folder / ERRORS
        with self._errors.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                cwd=folder,
                env={**os.environ, "PYSPARK_PYTHON": sys.executable},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def run(self) -> Iterator[str | Found]:
        """Run the job; yield each step when it begins, and last what the run has left.

        Of a run that is killed the last is a step.

        Raises:
            RuntimeError: It has failed, and nobody has killed it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "STEP":
                yield rest
            elif word == "FOUND":
                yield Found(**json.loads(rest))
                return
        if self._process.wait() != -signal.SIGKILL:
            raise RuntimeError(f"a run that nobody killed failed: {self._errors.read_text()}")

    def kill(self) -> None:
        """Kill the process, its JVM and its workers, as a machine that is switched off does."""
        for pid in _family(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


def _family(pid: int) -> list[int]:
    """Return a process and all that come from it."""
    found = [pid]
    with contextlib.suppress(OSError):  # It has ended.
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found
