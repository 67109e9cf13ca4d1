"""The runs of a job, as a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spark_infer.report.page.numbers import between
from spark_infer.report.run import RunReport, finite


@dataclass(frozen=True, kw_only=True)
class RunList:
    """Some runs of a job, the newest first.

    Attributes:
        job: Name of the job.
        directory: Where its reports are.
        num_runs: How many reports are there.
        runs: The reports of the newest.
        unreadable: Files among them that are no reports, and why.
    """

    job: str
    directory: str
    num_runs: int
    runs: Sequence[RunReport]
    unreadable: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the list as JSON data: a few facts of each run."""
        return {
            "job": self.job,
            "directory": self.directory,
            "num_runs": self.num_runs,
            "runs": [finite(brief(report)) for report in self.runs],
            "unreadable": dict(self.unreadable),
        }


def brief(report: RunReport) -> dict[str, Any]:
    """Return the facts of a run by which one is told from others, as JSON data."""
    return {
        "run_id": report.run_id,
        "status": report.status,
        "dry_run": report.dry_run,
        "step": report.step,
        "reason": report.reason,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "seconds": between(report.started_at, report.finished_at),
        "parameters": dict(report.parameters),
        "digest": report.bundle.get("digest", ""),
        "rows_in": report.rows_in,
        "rows_out": report.rows_out,
        "rows_rejected": report.rows_rejected,
        "rows_per_second": report.rows_per_second,
        "gate": gate_outcomes(report),
    }


def gate_outcomes(report: RunReport) -> dict[str, int]:
    """Return how many checks of the gate came to which outcome."""
    found = Counter(str(result.get("outcome")) for result in report.gate)
    known = ("stopped", "warned", "passed", "undefined")
    return {outcome: found[outcome] for outcome in known if found[outcome]}
