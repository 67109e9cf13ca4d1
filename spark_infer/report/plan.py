"""What a run of a job would do: found out without reading a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """What a run of a job would do.

    Attributes:
        job: Name of the job.
        parameters: What the run would be given.
        bundle: Name, digest and path of the bundle.
        target: Table that would be written.
        writes: What would become of the table.
        columns: The rows' columns in SQL, such as ``"id BIGINT"``.
        scan: Who would read the rows: ``direct``, with how much the workers would read, or ``jvm``,
            with the reason.
    """

    job: str
    parameters: Mapping[str, str]
    bundle: Mapping[str, str]
    target: str
    writes: str
    columns: tuple[str, ...]
    scan: str

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data."""
        return asdict(self)

    def summary(self) -> dict[str, str]:
        """Return what a person wants to see first, label by label."""
        return {
            "job": self.job,
            "parameters": ", ".join(f"{k}={v}" for k, v in self.parameters.items()) or "none",
            "bundle": f"{self.bundle['name']} {self.bundle['digest'][:12]}",
            "scan": self.scan,
            "target": f"{self.target}: {self.writes}",
            "columns": ", ".join(self.columns),
        }
