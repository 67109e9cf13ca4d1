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
    """Return the seconds of each repetition of each contender, and print them as they come.

    Each runs once before anything counts. The order is drawn anew for each repetition, always the
    same way, so that nobody always runs after the same neighbor, which leaves caches and the
    allocator in its own state.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}

    def run(name: str, what: str) -> float:
        with console.status(f"{what}: {name}"):
            start = time.perf_counter()
            contenders[name]()
            return time.perf_counter() - start

    def tell(what: str, took: Mapping[str, float]) -> None:
        each = "; ".join(f"{name} {value:.3g} s" for name, value in took.items())
        console.print(f"{what}: {each}")

    tell("warm-up", {name: run(name, "warm-up") for name in names})
    for repetition in range(repetitions):
        what = f"repetition {repetition + 1} of {repetitions}"
        order = random.Random(repetition).sample(names, len(names))
        took = {name: run(name, what) for name in order}
        tell(what, {name: took[name] for name in names})
        for name in names:
            seconds[name].append(took[name])
    return seconds


def rates(seconds: Mapping[str, list[float]], rows: int) -> dict[str, float]:
    """Return the median rows per second of each contender."""
    return {name: rows / statistics.median(values) for name, values in seconds.items()}
