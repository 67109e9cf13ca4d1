"""One of the two checkouts that are compared, and its benchmarks."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.checkout import BENCH
from benchmarks.comparison.errors import BenchmarkFailed, ComparisonError

CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Run:
    """What one run of a benchmark measured.

    Attributes:
        ratios: Its figures, by name.
        at_most: Names of the figures of which less is better.
    """

    ratios: Mapping[str, float]
    at_most: frozenset[str]


@dataclass(frozen=True)
class Side:
    """A checkout.

    Attributes:
        name: ``"before"`` or ``"after"``.
        what: The revision or folder that was asked for.
        root: Its folder.
        scratch: A folder for its data, so that no side finds what the other left.
    """

    name: str
    what: str
    root: Path
    scratch: Path

    def run(self, benchmark: str, options: Sequence[str]) -> Run:
        """Run a benchmark once, in a process that has this checkout alone on its path.

        Raises:
            BenchmarkFailed: It did not end well; all that it said is on the standard error.
            ComparisonError: It imported another ``spark_infer``, or ``--json`` is no option of it.
        """
        self.scratch.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as folder:
            result, imported, said = (
                Path(folder) / name for name in ("result.json", "imported", "stderr")
            )
            script = str(self.root / BENCH)
            command = [sys.executable, str(CHILD), script, str(imported), benchmark, *options]
            status = self._run([*command, "--json", str(result)], said)
            complaint = said.read_text(encoding="utf-8", errors="replace")
            if imported.exists():
                self._check_own(Path(imported.read_text(encoding="utf-8")))
            refused = status == 2 and re.search("unrecognized arguments:.* --json", complaint)
            if refused or (status == 0 and not result.exists()):
                raise ComparisonError(
                    f"{self}: its {BENCH} cannot write a result with --json, so there is nothing "
                    "to compare; choose a newer revision"
                )
            if status:
                sys.stderr.write(complaint)
                raise BenchmarkFailed(_last_line(complaint) or f"exit status {status}")
            if not imported.exists():
                raise ComparisonError(
                    f"{self}: the benchmark {benchmark} never imported spark_infer, so it measured "
                    "something else"
                )
            return _read(result)

    def _run(self, command: Sequence[str], said: Path) -> int:
        """Return the exit status; whatever stops this process ends the child and its children."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "XDG_CACHE_HOME": str(self.scratch),
            "SPARK_INFER_CACHE": str(said.parent / "unpacked"),
            "TMPDIR": str(said.parent),
        }
        with said.open("wb") as stderr:
            child = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                return child.wait()
            except BaseException:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait()
                raise

    def _check_own(self, package: Path) -> None:
        if self.root / "spark_infer" not in package.resolve().parents:
            raise ComparisonError(
                f"{self}: its benchmark imported {package} and not the spark_infer of {self.root}; "
                "look for what puts another in front, such as a .pth file"
            )

    def __str__(self) -> str:
        return f"{self.name} ({self.what})"


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _read(path: Path) -> Run:
    """Read the figures from a result of any age, whose other members may have changed."""
    data = json.loads(path.read_text(encoding="utf-8"))
    odd = [name for name, value in data["ratios"].items() if not math.isfinite(value)]
    if odd:
        raise BenchmarkFailed(f"{odd[0]} is {data['ratios'][odd[0]]}, which is no figure")
    return Run(data["ratios"], frozenset(data.get("at_most", ())))
