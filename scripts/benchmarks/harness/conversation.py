"""A program that answers a line of JSON with a line of JSON, for as long as it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def conversation(
    module: str, *arguments: str, **environment: str
) -> Iterator[Callable[[Mapping[str, Any]], Any]]:
    """Run a module as a program that finds these scripts and this package; yield what asks it.

    Asking raises RuntimeError if the program ends without an answer.
    """
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), str(root.parent)])
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        asks, answers = program.stdin, program.stdout
        assert asks is not None
        assert answers is not None

        def ask(task: Mapping[str, Any]) -> Any:
            print(json.dumps(task), file=asks, flush=True)
            answer = answers.readline()
            if not answer:
                what = " ".join([module, *arguments])
                raise RuntimeError(f"{what} ended without an answer; what it said is above")
            return json.loads(answer)

        try:
            yield ask
        finally:
            asks.close()
