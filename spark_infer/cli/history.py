"""Prints earlier runs, as text or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from spark_infer.cli import output, render
from spark_infer.errors import ConfigError, printable

if TYPE_CHECKING:
    from spark_infer.report import Replay, RunList, RunReport

_STYLES = {
    "done": "",
    "published": "",
    "dry-run": "dim",
    "dropped": "dim",
    "stopped": "bold yellow",
}
_COUNTS = {
    "num_batches": "batches",
    "num_predicted": "rows that the model ran",
    "num_repeats": "rows answered by an equal row",
    "num_cached": "rows answered from the cache",
    "num_failed": "rows on which the model failed",
    "num_splits": "batches run again in halves, for want of memory",
    "num_bisections": "batches run again in halves, to find rows at fault",
    "num_oversized": "rows alone, longer than the token budget",
}


def run_list(found: RunList, *, as_json: bool) -> None:
    """Print runs, one a line."""
    if as_json:
        render.json_data(found.to_json())
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    left = ("run", "began", "parameters", "outcome")
    right = ("rows", "rejected", "rows/s", "took")
    for heading in left:
        table.add_column(heading)
    for heading in right:
        table.add_column(heading, justify="right")
    table.add_column("gate")
    for row in found.to_json()["runs"]:
        style = _STYLES.get(row["status"], "bold red")
        table.add_row(*(_cell(text) for text in _row(row)), style=style)
    output.show(table, as_wide_as_needed=True)
    for problem in found.unreadable.values():
        output.write(f"{printable(problem)}\n")
    shown = len(found.runs) + len(found.unreadable)
    if not found.num_runs:
        output.write(printable(f"no run of {found.job} has a report in {found.directory}\n"))
    elif shown < found.num_runs:
        output.write(f"{shown:,} of {found.num_runs:,} runs; --last N shows more\n")


def one_run(report: RunReport, directory: str, *, as_json: bool) -> None:
    """Print all that the report of a run says.

    Raises:
        ConfigError: It holds what no run writes.
    """
    if as_json:
        render.json_data(report.to_json())
        return
    try:
        _facts(report, directory)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What lies deeper in a report is of any kind, and anybody may have written to the file.
        raise ConfigError(
            f"report {report.path(directory)} holds what no run writes ({type(error).__name__}: "
            f"{error}); restore the file, or remove it"
        ) from None


def _facts(report: RunReport, directory: str) -> None:
    ended = f"{report.status}{' in a dry run' if _failed_dry(report) else ''}"
    facts = {"outcome": f"{ended}, in step {report.step}" if report.step else ended}
    if report.reason:
        facts["reason"] = report.reason + (" (passes by itself)" if report.transient else "")
    facts |= {"began": report.started_at, "ended": report.finished_at}
    facts |= {**report.summary(), "source": report.source}
    for number, part in enumerate(report.snapshot, 1):
        facts[f"snapshot {number}"] = ", ".join(f"{k}={v}" for k, v in part.items() if v != "")
    facts |= {"writer": report.writer, "digest": report.bundle.get("digest", "")}
    facts["report"] = str(report.path(directory))
    render.facts("", {name: value for name, value in facts.items() if value})
    counts = {
        text: f"{report.batches[k]:,}" for k, text in _COUNTS.items() if report.batches.get(k)
    }
    render.facts("batches", counts)
    render.facts("rows without a prediction", dict(map(_reject, report.rejects)))
    seconds = report.batches.get("seconds", {})
    render.facts("seconds in tasks", {name: f"{value:.1f}" for name, value in seconds.items()})
    render.gate(report.gate)
    render.facts("versions", report.versions)
    render.facts("what to type next", report.commands)


def replayed(found: Replay, *, as_json: bool) -> None:
    """Print what came of a row that was predicted again."""
    if as_json:
        render.json_data(found.to_json())
        return
    render.facts("", found.summary())


def _failed_dry(report: RunReport) -> bool:
    return report.dry_run and report.status != "dry-run"


def _reject(found: Mapping[str, Any]) -> tuple[str, str]:
    examples = (", ".join(f"{k}={v}" for k, v in key.items()) for key in found["examples"])
    return found["reason"], f"{found['count']:,}, such as {'; '.join(examples)}"


def _row(row: Mapping[str, Any]) -> list[str]:
    """Return a run's line."""
    outcome = row["status"]
    if row["dry_run"] and outcome != "dry-run":
        outcome = f"dry-run {outcome}"
    if row["step"]:
        outcome += f" in {row['step']}"
    numbers = [_number(row[name]) for name in ("rows_in", "rows_rejected", "rows_per_second")]
    seconds = row["seconds"]
    return [
        row["run_id"],
        row["started_at"].replace("T", " ").replace("+00:00", ""),
        ", ".join(f"{name}={value}" for name, value in row["parameters"].items()),
        outcome,
        *numbers,
        "" if seconds is None else f"{seconds:,.0f} s",
        ", ".join(f"{number} {outcome}" for outcome, number in row["gate"].items()),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _cell(text: str) -> Text:
    """Return a text as it is, on one line: no part of it is rich's markup."""
    return Text(printable(text).replace("\n", "\\n"))
