"""What a run would take: by earlier runs, or by a sample of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from spark_infer.metrics import Metrics
from spark_infer.report import RunReport
from spark_infer.report.plan import Expected

NUM_RUNS = 5
"""Earlier runs that count."""
AMONG = 30
"""Reports that are opened to find them."""
_SCORING = ("wait", "assemble", "run", "unpack")


def by_runs(
    earlier: Sequence[RunReport], digest: str, rows: int | None, *, is_read: bool
) -> Expected | None:
    """Return what a run would take if it goes like earlier ones; None where none tells.

    Args:
        earlier: Runs of the job that were published, the newest first.
        digest: The bundle. Runs of the same count, where there are some.
        rows: Rows of the run; None where nobody knows.
        is_read: Whether these are rows that workers read, of which a filter may leave some out.
    """
    telling = [report for report in earlier if report.rows_per_second]
    same = [report for report in telling if report.bundle.get("digest") == digest]
    chosen = (same or telling)[:NUM_RUNS]
    if not chosen:
        return None
    speed = median(report.rows_per_second or 0.0 for report in chosen)
    scoring = median(report.seconds.get("score", 0.0) for report in chosen)
    if rows is not None:
        scoring = rows * median(_seconds_a_row(report, is_read=is_read) for report in chosen)
    names = dict.fromkeys(name for report in chosen for name in report.seconds)
    others = sum(
        median(report.seconds.get(name, 0.0) for report in chosen)
        for name in names
        if name != "score"
    )
    return Expected(
        seconds=round(others + scoring, 1),
        rows_per_second=round(speed, 1),
        taken_from=f"as the last {len(chosen)} run{'' if len(chosen) == 1 else 's'}"
        f"{'' if same else ' of another bundle'}",
    )


def _seconds_a_row(report: RunReport, *, is_read: bool) -> float:
    """Return what a row has taken, of those that were read or of those that were scored."""
    read = report.batches.get("num_read", 0)
    if is_read and read:
        return float(report.seconds.get("score", 0.0) / read)
    return 1 / (report.rows_per_second or 1.0)


def by_sample(counted: Metrics, slots: int, rows: int | None) -> Expected | None:
    """Return what a run would take if all rows go like a sample of them; None where it was empty.

    Args:
        counted: What the task has counted that has predicted the sample.
        slots: Tasks that run at once.
        rows: Rows that it would read; None where nobody knows.
    """
    taken = sum(float(counted.seconds[stage]) for stage in _SCORING)
    if not counted.num_rows or not taken:
        return None
    speed = counted.num_rows / taken * slots
    return Expected(
        seconds=None if rows is None else round(rows / speed, 1),
        rows_per_second=round(speed, 1),
        taken_from=f"by a sample of {counted.num_rows:,} rows, for {slots} task"
        f"{'' if slots == 1 else 's'} at once; without the other steps",
    )
