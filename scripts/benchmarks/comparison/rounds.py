"""The rounds of one benchmark, in which both sides take turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from benchmarks.comparison.errors import BenchmarkFailed
from benchmarks.comparison.figure import Figure
from benchmarks.comparison.side import Run, Side


@dataclass
class Rounds:
    """What was measured.

    Attributes:
        benchmark: Its name.
        runs: Those of each side, by its name; none of a side that failed.
        failures: What went wrong, by the name of the side.
    """

    benchmark: str
    runs: dict[str, list[Run]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def figures(self) -> list[Figure]:
        """Return each figure that any side has."""
        runs = [run for side in self.runs.values() for run in side]
        return [
            Figure(
                benchmark=self.benchmark,
                name=name,
                before=self._values("before", name),
                after=self._values("after", name),
                at_most=any(name in run.at_most for run in runs),
            )
            for name in dict.fromkeys(name for run in runs for name in run.ratios)
        ]

    def _values(self, side: str, name: str) -> list[float]:
        return [run.ratios[name] for run in self.runs.get(side, ()) if name in run.ratios]


def alternate(
    benchmark: str, options: Sequence[str], sides: tuple[Side, Side], rounds: int
) -> Rounds:
    """Run a benchmark once in each round for each side, and print the figures as they come.

    The first of a round was the last of the one before (before, after, after, before, ...), so that
    what a machine does in between hits both alike. A side that fails ends it with that round.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    found = Rounds(benchmark, runs={side.name: [] for side in sides})
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            console.print(f"{benchmark}, round {number + 1} of {rounds}, {side.name}")
            try:
                run = side.run(benchmark, options)
            except BenchmarkFailed as error:
                console.print("  failed")
                found.failures[side.name] = str(error)
                del found.runs[side.name]
            else:
                figures = (f"{name} {value:.3f}" for name, value in run.ratios.items())
                console.print(f"  {', '.join(figures)}")
                found.runs[side.name].append(run)
        if found.failures:
            break
    return found
