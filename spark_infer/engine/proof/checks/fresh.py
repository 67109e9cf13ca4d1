"""A stored model in a Python process of its own, as executors run it.

The process that saves a model may have changed what its code depends on: a global of its module, a
class, a function that somebody replaced. In a process that begins anew none of it is there.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from spark_infer.backends import load_backend
from spark_infer.backends.backend import Array
from spark_infer.backends.failures.fault import sentence
from spark_infer.backends.host import HostBackend
from spark_infer.errors import BundleError

_PROGRAM = f"""
import sys
sys.path[:] = sys.argv[2].split({os.pathsep!r})
from {__name__} import main
main()
"""
"""Finds modules where this process does, so that only what it has changed is missing, and not in
the current folder, which Python puts in front of them."""


class FreshProcess(HostBackend):
    """Runs a bundle's model in another process, which ends with the ``with`` block.

    Args:
        bundle: The bundle's directory.
        allow_modules: Import paths that the bundle may name.

    Raises:
        BundleError: The model cannot be loaded there.
    """

    def __init__(self, bundle: Path, allow_modules: Sequence[str]) -> None:
        given = [str(bundle), os.pathsep.join(sys.path), ",".join(allow_modules)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._answer()
        except RuntimeError as error:
            self.__exit__()
            raise BundleError(
                f"the bundle is not saved: its model cannot be made in a Python that begins anew "
                f"({error}), and so on no executor"
            ) from None

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch there.

        Raises:
            RuntimeError: It fails, for the reason that the message gives.
        """
        assert self._process.stdin is not None
        _send(self._process.stdin, list(tensors), list(tensors.values()))
        return self._answer()

    def _answer(self) -> Sequence[Array]:
        assert self._process.stdout is not None
        said = _receive(self._process.stdout)
        if said is None:
            raise RuntimeError(f"it ended with exit code {self._process.wait()}")
        problem, arrays = said
        if isinstance(problem, str):
            raise RuntimeError(problem)
        return arrays

    def __enter__(self) -> FreshProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


def _send(stream: IO[bytes], header: Any, arrays: Sequence[Array]) -> None:
    content = io.BytesIO()
    np.savez(content, *arrays)
    stream.write(json.dumps([header, content.tell()]).encode() + b"\n" + content.getvalue())
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[Any, list[Array]] | None:
    """Return what was sent, or None where nobody sends any more."""
    line = stream.readline()
    if not line:
        return None
    header, size = json.loads(line)
    with np.load(io.BytesIO(stream.read(size)), allow_pickle=False) as found:
        return header, [found[f"arr_{index}"] for index in range(len(found.files))]


def main() -> None:
    """Load the bundle and run the batches that come, until none does."""
    path, _, modules = sys.argv[1:]
    # What the model's code prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        backend = load_backend(path, allow_modules=modules.split(","))
    except Exception as error:
        # The module's own code raises what it likes.
        _send(answers, str(error), [])
        return
    _send(answers, None, [])
    while (asked := _receive(sys.stdin.buffer)) is not None:
        names, arrays = asked
        try:
            outputs = backend.run(dict(zip(names, arrays, strict=True)))
        except Exception as error:
            # So does a model.
            _send(answers, sentence(error), [])
        else:
            _send(answers, None, outputs)
