"""A benchmark's result as a table and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run of a benchmark.

    Attributes:
        benchmark: Its name.
        workload: What was run, in words.
        rows_per_second: Median of each contender.
        seconds: Every repetition of each contender.
        ratios: The figures that count, by name.
        bars: What a ratio is meant to be at least; a ratio without one is only told, and one that
            has only a bar was not measured.
        at_most: Ratios whose bar is the most that they are meant to be.
        machine: What it ran on.
    """

    benchmark: str
    workload: str
    rows_per_second: Mapping[str, float]
    seconds: Mapping[str, list[float]]
    ratios: Mapping[str, float]
    bars: Mapping[str, float]
    at_most: Sequence[str] = ()
    machine: Mapping[str, str]

    def reached(self, ratio: str) -> bool:
        """Return whether a ratio is on the right side of its bar."""
        value, bar = self.ratios[ratio], self.bars[ratio]
        return value <= bar if ratio in self.at_most else value >= bar


def print_result(result: Result) -> None:
    """Print contenders and ratios."""
    console = Console(highlight=False)
    console.print(f"[bold]{result.benchmark}[/]: {result.workload}")
    console.print(", ".join(f"{name} {value}" for name, value in result.machine.items()))
    contenders = Table("contender", "rows/s", "median s", "fastest s", "slowest s", box=None)
    for name, rate in result.rows_per_second.items():
        values = result.seconds[name]
        numbers = (statistics.median(values), min(values), max(values))
        contenders.add_row(name, f"{rate:,.0f}", *(f"{number:.2f}" for number in numbers))
    console.print(contenders)
    print_ratios([result])


def print_ratios(results: Sequence[Result]) -> None:
    """Print the ratios of one or several results in one table."""
    table = Table("benchmark", "ratio", "value", "bar", "", box=None)
    for result in results:
        for name in dict.fromkeys([*result.ratios, *result.bars]):
            bar = ""
            if name in result.bars:
                side = "at most" if name in result.at_most else "at least"
                bar = f"{side} {result.bars[name]:.2f}"
            value = f"{result.ratios[name]:.2f}" if name in result.ratios else ""
            table.add_row(result.benchmark, name, value, bar, _verdict(result, name))
    Console(highlight=False).print(table)


def write_json(results: Result | Sequence[Result], path: Path) -> None:
    """Write one result as an object, or several as a list."""
    if isinstance(results, Result):
        data: object = asdict(results)
    else:
        data = [asdict(result) for result in results]
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    Console().print(f"written to {path}", highlight=False)


def read_json(path: Path) -> Result:
    """Read one result that ``write_json`` wrote."""
    return Result(**json.loads(path.read_text(encoding="utf-8")))


def _verdict(result: Result, ratio: str) -> str:
    if ratio not in result.ratios:
        return "not measured"
    if ratio not in result.bars:
        return ""
    return "reached" if result.reached(ratio) else "[red]missed[/]"
