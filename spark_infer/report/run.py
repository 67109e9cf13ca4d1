"""The run report: what a job read, scored, rejected and wrote, and what it cost."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spark_infer.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One run of a job.

    Attributes:
        job: Name of the job.
        run_id: Identifies the run in the target table.
        started_at: UTC, ISO 8601.
        parameters: What the run was given.
        bundle: Name, digest and path of the bundle.
        target: Table that was written.
        spark_application_id: The application in Spark's history.
        rows_in: Rows that were to be scored.
        rows_out: Rows that were written.
        rows_rejected: Rows among them that got no prediction.
        seconds: Wall-clock seconds of each step of the job.
        rows_per_second: Rows scored for each second of scoring.
        batches: What the predictors counted; their seconds are summed over tasks.
    """

    job: str
    run_id: str
    started_at: str
    parameters: Mapping[str, str]
    bundle: Mapping[str, str]
    target: str
    spark_application_id: str
    rows_in: int
    rows_out: int
    rows_rejected: int
    seconds: Mapping[str, float]
    rows_per_second: float
    batches: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return asdict(self)

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write the report to ``<directory>/<job>-<run id>.json`` in one step.

        Raises:
            ConfigError: The directory cannot be written.
        """
        folder = writable(directory)
        path = folder / f"{self.job}-{self.run_id}.json"
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=".", suffix=".json", delete=False, encoding="utf-8"
        ) as file:
            json.dump(self.to_json(), file, indent=2)
            file.write("\n")
        Path(file.name).chmod(0o644)
        Path(file.name).rename(path)
        return path

    def summary(self) -> dict[str, str]:
        """Return what a person wants to see first, label by label."""
        steps = ", ".join(f"{name} {value:.1f}" for name, value in self.seconds.items())
        num_batches = self.batches.get("num_batches", 0)
        batches = f"{num_batches:,}"
        if num_batches:
            batches += f" of {self.batches['num_predicted'] / num_batches:,.0f} rows"
            batches += f", {self.batches['padding_efficiency']:.0%} of positions real"
        return {
            "job": f"{self.job}, run {self.run_id}",
            "parameters": ", ".join(f"{k}={v}" for k, v in self.parameters.items()) or "none",
            "bundle": f"{self.bundle['name']} {self.bundle['digest'][:12]}",
            "target": self.target,
            "rows": f"{self.rows_in:,} in, {self.rows_out:,} out, {self.rows_rejected:,} rejected",
            "speed": f"{self.rows_per_second:,.0f} rows/s while scoring",
            "seconds": steps,
            "batches": batches,
            "spark": self.spark_application_id,
        }


def writable(directory: str | os.PathLike[str]) -> Path:
    """Make a directory for reports and return it.

    Raises:
        ConfigError: It cannot be made or written.
    """
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"report.path {folder}: {error.strerror}; name another directory"
        ) from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"report.path {folder} is not writable; name another directory")
    return folder
