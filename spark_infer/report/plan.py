"""What a run of a job would do: found out from metadata and a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spark_infer.report.page.numbers import UNKNOWN, count, duration

_MAX_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What would be read.

    Attributes:
        num_partitions: Partitions of the source; None where it has none, or nobody knows.
        num_files: Files; None where the source is not one of files.
        num_bytes: Their bytes, all columns, as they are stored.
        rows: About how many rows there are. Where files or the catalog tell, conditions may leave
            some of them out; where earlier runs tell, they have.
        rows_from: How that was found out; ``""`` where it was not.
    """

    num_partitions: int | None = None
    num_files: int | None = None
    num_bytes: int | None = None
    rows: int | None = None
    rows_from: str = ""

    def __str__(self) -> str:
        size = UNKNOWN if self.num_bytes is None else _size(self.num_bytes)
        rows = f"{count(self.rows)} rows ({self.rows_from})" if self.rows_from else "rows unknown"
        parts = [rows, f"{count(self.num_files)} files, {size}"]
        if self.num_partitions is not None:
            parts.append(f"{count(self.num_partitions)} partitions")
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a run would take.

    Attributes:
        seconds: Of all steps, as far as they are known; None where nobody knows.
        rows_per_second: While it scores.
        taken_from: How that was found out, in words; ``""`` where it was not.
    """

    seconds: float | None = None
    rows_per_second: float | None = None
    taken_from: str = ""

    def __str__(self) -> str:
        if not self.taken_from:
            return "unknown: there is no earlier run, and no sample was taken"
        return (
            f"{duration(self.seconds)}, {count(self.rows_per_second)} rows/s while scoring "
            f"({self.taken_from})"
        )


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """What a run of a job would do.

    Attributes:
        job: Name of the job.
        parameters: What the run would be given.
        bundle: Name, digest and path of the bundle.
        target: Table that would be written.
        mode: ``target.mode``.
        writes: What would become of the table.
        replaces: Partitions of the table that the run is about, where the catalog has a list of
            them and the job's conditions tell; else None: those that rows are there for.
        columns: The rows' columns in SQL, such as ``"id BIGINT"``.
        reads: What would be read.
        expected: What the run would take.
        scan: Who would read the rows: ``direct``, with how much the workers would read, or ``jvm``,
            with the reason.
        writer: Who would write the scored rows: ``workers``, or ``jvm``, with the reason.
        evaluations: How often the model would be asked for each row: once.
        sql: What would be read and published, in SQL; parameters stand as ``:name``.
    """

    job: str
    parameters: Mapping[str, str]
    bundle: Mapping[str, str]
    target: str
    mode: str
    writes: str
    replaces: Sequence[str] | None
    columns: tuple[str, ...]
    reads: Reading
    expected: Expected
    scan: str
    writer: str
    evaluations: int
    sql: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data."""
        return asdict(self)

    def summary(self) -> dict[str, str]:
        """Return what a person wants to see first, label by label."""
        facts = {
            "job": self.job,
            "parameters": ", ".join(f"{k}={v}" for k, v in self.parameters.items()) or "none",
            "bundle": f"{self.bundle['name']} {self.bundle['digest'][:12]}",
            "reads": str(self.reads),
            "scan": self.scan,
            "model": "runs once for each row"
            if self.evaluations == 1
            else f"runs {self.evaluations} times for each row: a feature or filter reads what it "
            "predicts again",
            "takes": str(self.expected),
            "writer": self.writer,
            "target": f"{self.target}: {self.writes}",
        }
        if self.replaces is not None:
            facts["replaces"] = _partitions(self.replaces)
        facts["columns"] = ", ".join(self.columns)
        return facts | {f"sql {at}": text for at, text in enumerate(self.sql, 1)}


def _partitions(names: Sequence[str]) -> str:
    if not names:
        return "no partition that is there"
    rest = len(names) - _MAX_NAMES
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{len(names):,} that are there: {', '.join(names[:_MAX_NAMES])}{more}"


def _size(num_bytes: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if num_bytes < 1024:
            return f"{num_bytes:,.0f} {unit}" if unit == "bytes" else f"{num_bytes:,.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:,.1f} TiB"
