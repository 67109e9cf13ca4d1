"""What a run says of itself: where its report goes, and what its job file has said."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from spark_infer.report import RunReport
from spark_infer.report.run import Status
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.config.target import ReportConfig
from spark_infer.warehouse.gate import command_arguments

if TYPE_CHECKING:
    from spark_infer.warehouse.job import ScoringJob

_OF_A_JOB = {"again": "score", "recover": "recover"}
_log = logging.getLogger(__name__)


def write_report(report: RunReport, config: ReportConfig) -> None:
    """Write a report, and tell where it is. Errors are those of ``RunReport.write``."""
    place = report.write(config.path, html=config.html)
    _log.info("report: %s", report.page_path(config.path) if config.html else place)


def described_source(config: SourceConfig) -> str:
    """Return what a job reads, in words."""
    place = config.table or f"{config.format} files in {config.path}"
    return f"{place} where {config.filter}" if config.filter else place


def next_commands(
    job: ScoringJob, run_id: str, status: Status, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Return what somebody types next, as ``RunReport.commands`` has it.

    Args:
        job: The job.
        run_id: Its run.
        status: How the run ended.
        parameters: What it was given, as text.
    """
    given = [f"--set {shlex.quote(f'{name}={value}')}" for name, value in parameters.items()]
    arguments = command_arguments(job.path, job.settings, *given)
    commands = {verb: f"spark-infer {name} {arguments}" for verb, name in _OF_A_JOB.items()}
    if status == "stopped":
        decided = job.command_arguments(run_id)
        commands |= {verb: f"spark-infer {verb} {decided}" for verb in ("publish", "drop")}
    return commands
