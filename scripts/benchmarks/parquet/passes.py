"""Passes over Parquet files, timed, and what they wrote, which must be the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.harness.interleave import interleave
from benchmarks.harness.kept import WriteScores
from benchmarks.harness.machine import cache_directory
from benchmarks.workloads.float_files import KEY, SCORE

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Pass:
    """One contender's way through a folder of files.

    Attributes:
        write_scores: What it does.
        source: The folder.
        num_rows: Of all its files: their keys are the numbers from 0 on.
    """

    write_scores: WriteScores
    source: Path
    num_rows: int


def measure(passes: Mapping[str, Pass], repetitions: int) -> dict[str, list[float]]:
    """Return the seconds of each repetition of each pass.

    Raises:
        RuntimeError: Passes over the same files did not write the same the last time.
    """
    with tempfile.TemporaryDirectory(dir=cache_directory()) as folder:
        targets = {name: Path(folder) / str(place) for place, name in enumerate(passes)}
        seconds = interleave(
            {name: _anew(each, targets[name]) for name, each in passes.items()},
            repetitions=repetitions,
        )
        _check_equal(passes, targets)
    return seconds


def _anew(each: Pass, target: Path) -> Callable[[], None]:
    def run() -> None:
        shutil.rmtree(target, ignore_errors=True)
        each.write_scores(each.source, target)

    return run


def _check_equal(passes: Mapping[str, Pass], targets: Mapping[str, Path]) -> None:
    references: dict[Path, tuple[str, np.ndarray]] = {}
    for name, each in passes.items():
        keys, scores = _read_scores(targets[name])
        if not np.array_equal(keys, np.arange(each.num_rows)):
            raise RuntimeError(
                f"{name} wrote {len(keys):,} rows with keys that add up to {keys.sum():,}, and not "
                f"each key below {each.num_rows:,} once"
            )
        first, wanted = references.setdefault(each.source, (name, scores))
        if not np.allclose(scores, wanted, rtol=TOLERANCE, atol=TOLERANCE):
            raise RuntimeError(
                f"scores of {name} differ by up to {np.abs(scores - wanted).max():.2g} from those "
                f"of {first}; their sums are {scores.sum()} and {wanted.sum()}"
            )


def _read_scores(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return keys and scores, ordered by key."""
    table = pq.read_table(path, columns=[KEY, SCORE])
    keys, scores = (table[name].to_numpy() for name in (KEY, SCORE))
    order = np.argsort(keys)
    return keys[order], scores[order].astype(np.float64)
