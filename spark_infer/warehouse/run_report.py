"""What a run has found out, as its report has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spark_infer.bundle import Bundle
from spark_infer.errors import SparkInferError
from spark_infer.report import RunReport
from spark_infer.report.run import Status, now_text
from spark_infer.report.versions import versions
from spark_infer.warehouse.parameters.typed import texts

if TYPE_CHECKING:
    from spark_infer.warehouse.job import ScoringJob
    from spark_infer.warehouse.run import Run


def report_of(run: Run, status: Status, error: BaseException | None = None) -> RunReport:
    """Return the report of a run that has ended.

    Args:
        run: The run.
        status: How it ended.
        error: Why it failed, if it did.
    """
    config, seconds = run.job.config, run.steps.seconds
    known = {"path": config.bundle.path}
    if run.bundle is not None:
        known = described(run.job, run.bundle)
    found = {"spark_application_id": "", **run.found}
    if "rows_in" in found and seconds.get("score"):
        scored = found["rows_in"] - found.get("rows_pending", 0)
        found["rows_per_second"] = round(scored / seconds["score"], 1)
    return RunReport(
        job=config.name,
        run_id=run.run_id,
        status=status,
        dry_run=run.dry_run,
        step=run.steps.current if error else "",
        reason=str(error) or type(error).__name__ if error else "",
        transient=isinstance(error, SparkInferError) and error.transient,
        started_at=run.started_at.isoformat(timespec="seconds"),
        finished_at=now_text(),
        parameters=texts(run.values),
        bundle=known,
        source=config.source.described,
        target=config.target.table,
        commands=run.job.commands(run.run_id, status, texts(run.values), dry_run=run.dry_run),
        versions=versions(),
        seconds=seconds,
        throughput=run.steps.throughput,
        **found,
    )


def described(job: ScoringJob, bundle: Bundle) -> dict[str, str]:
    """Return what a report says of a bundle."""
    return {"path": job.config.bundle.path, "name": bundle.name, "digest": bundle.digest}
