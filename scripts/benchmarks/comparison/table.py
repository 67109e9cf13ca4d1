"""The figures of a comparison as a table."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.comparison.figure import Figure, spread

STYLES = {"slower": "red", "faster": "green"}
WIDTH = 200
"""Of a table that goes to a file."""


def print_figures(figures: Sequence[Figure]) -> None:
    """Print medians, their ratio, the spread of each side, the verdict and what it cannot see."""
    table = Table("benchmark", "figure", box=None)
    for column in ("before", "after", "after/before", "spread before", "spread after"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for figure in figures:
        both = figure.before and figure.after
        style = STYLES.get(figure.verdict)
        table.add_row(
            figure.benchmark,
            figure.name + (" (less is better)" if figure.at_most else ""),
            *(f"{statistics.median(side):.3f}" if side else "" for side in _sides(figure)),
            f"{figure.change:.3f}" if both else "",
            *(f"{spread(side):.3f}" if side else "" for side in _sides(figure)),
            f"[{style}]{figure.verdict}[/]" if style else figure.verdict,
        )
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    hidden = [figure.noise for figure in figures if figure.verdict == "same"]
    if hidden:
        console.print(
            f"same: no change beyond the spread, which hides up to {max(hidden):.3f} times"
        )


def _sides(figure: Figure) -> tuple[Sequence[float], Sequence[float]]:
    return figure.before, figure.after
