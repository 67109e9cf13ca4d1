"""Time contenders fairly on a machine that others use too."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping

from rich.console import Console


def interleave(
    contenders: Mapping[str, Callable[[], object]], *, repetitions: int
) -> dict[str, list[float]]:
    """Return the seconds of each repetition of each contender.

    Each runs once before anything counts. The order is drawn anew for each repetition, always the
    same way, so that nobody always runs after the same neighbor, which leaves caches and the
    allocator in its own state.
    """
    console = Console(stderr=True)
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        with console.status(f"warming up {name}"):
            contenders[name]()
    for repetition in range(repetitions):
        for name in random.Random(repetition).sample(names, len(names)):
            with console.status(f"repetition {repetition + 1} of {repetitions}: {name}"):
                start = time.perf_counter()
                contenders[name]()
                seconds[name].append(time.perf_counter() - start)
    return seconds


def rates(seconds: Mapping[str, list[float]], rows: int) -> dict[str, float]:
    """Return the median rows per second of each contender."""
    return {name: rows / statistics.median(values) for name, values in seconds.items()}
