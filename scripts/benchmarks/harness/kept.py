"""A contender in a process of its own, started once: what starting costs is not timed.

Run as a program, ``python -m benchmarks.harness.kept MODULE ARGUMENTS``, it enters
``MODULE.started(*ARGUMENTS)`` and calls what that yields for each line that it reads.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.conversation import conversation

WriteScores = Callable[[Path, Path], None]
"""Reads one folder of Parquet files, and writes keys and scores into another, not there yet."""


@contextmanager
def kept(module: str, *arguments: str) -> Iterator[WriteScores]:
    """Start the process, and yield what makes it write scores."""
    with conversation(__name__, module, *arguments) as ask:
        yield lambda source, target: ask({"source": str(source), "target": str(target)})


def serve() -> None:
    """Write the scores of each pair of folders on the standard input."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What a library prints must not pass for an answer.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    module, *arguments = sys.argv[1:]
    with importlib.import_module(module).started(*arguments) as write_scores:
        for line in sys.stdin:
            task = json.loads(line)
            write_scores(Path(task["source"]), Path(task["target"]))
            print(json.dumps("written"), file=answers, flush=True)


if __name__ == "__main__":
    serve()
