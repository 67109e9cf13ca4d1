"""A benchmark's result as a table and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
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
        bars: The least that each ratio is meant to be.
        machine: What it ran on.
    """

    benchmark: str
    workload: str
    rows_per_second: Mapping[str, float]
    seconds: Mapping[str, list[float]]
    ratios: Mapping[str, float]
    bars: Mapping[str, float]
    machine: Mapping[str, str]


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
    ratios = Table("ratio", "value", "at least", "", box=None)
    for name, value in result.ratios.items():
        reached = "reached" if value >= result.bars[name] else "[red]missed[/]"
        ratios.add_row(name, f"{value:.2f}", f"{result.bars[name]:.2f}", reached)
    console.print(ratios)


def write_json(result: Result, path: Path) -> None:
    """Write the result to a file."""
    path.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    Console().print(f"written to {path}", highlight=False)
