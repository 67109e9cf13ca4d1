"""The run report: what a job read, scored, rejected and wrote, and what it cost."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from spark_infer.bundle.places import Place
from spark_infer.errors import ConfigError
from spark_infer.report.challenger import told
from spark_infer.report.files import folder_of, read_text, write_text
from spark_infer.report.page import page

_log = logging.getLogger(__name__)

Status = Literal["done", "dry-run", "failed", "interrupted", "stopped", "published", "dropped"]

_MAX_DEPTH = 32
_MAX_BITS = 128


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One run of a job. What a run that failed had not come to know is None or empty.

    Attributes:
        job: Name of the job.
        run_id: Identifies the run in the target table.
        status: How it ended; one that its gate has ``stopped`` is ``published`` or ``dropped`` by
            hand, and ``dry-run`` is one that would have been ``done``.
        dry_run: Whether nothing of it was to be published, however it ended.
        step: The step in which it failed; ``""`` where it did not.
        reason: What the error said; ``""`` where there was none.
        transient: Whether its cause passes by itself.
        started_at: UTC, ISO 8601.
        finished_at: UTC, ISO 8601.
        parameters: What the run was given.
        bundle: Name, digest and path of the bundle.
        source: Table or files that were read, with the filter.
        deadline: When the workers were to stop, UTC, ISO 8601; ``""`` where there is no deadline.
        snapshot: What each table or folder under the source held when it was read: of Iceberg its
            snapshot, of files how many there were, their bytes, and a digest of their list.
        target: Table that was written, or was to be.
        spark_application_id: The application in Spark's history.
        versions: Of spark_infer, Python and the libraries that took part.
        scan: Who read the rows that were scored: ``direct``, with the rows and bytes that the
            workers read, or ``jvm``, with the reason.
        writer: Who wrote the scored rows: ``workers``, or ``jvm``, with the reason.
        rows_in: Rows that were to be scored.
        rows_unchanged: Rows of the source that were not: the target has them as they would be
            scored again. None where the job is not incremental.
        rows_carried: Rows that the target had, and which were written again beside the scored ones.
        rows_out: Rows that were written.
        rows_rejected: Rows among them that got no prediction.
        rows_pending: Rows among those to be scored for which there was no time before the deadline;
            the next run completes them. None where there is no deadline.
        rows_quarantined: Rows among them that are in the quarantine. None where there is none.
        seconds: Wall-clock seconds of each step of the job.
        rows_per_second: Rows scored for each second of scoring.
        throughput: How many rows were scored when: ``seconds`` since scoring began, ``rows``.
        rejects: The most frequent reasons without a prediction: ``reason``, ``count``, and keys of
            ``examples``.
        batches: What the predictors counted; their seconds are summed over tasks.
        gate: Each check of the job's gate: check, column, value, limit, action, outcome.
        challengers: Each challenger: name, bundle, whether it is a ``shadow``, its ``tolerance``,
            and the ``disagreement`` with the champion (None where no row was scored).
        drift: Each output and feature that the gate compares: its distribution now and in the
            reference, where that comes from, and the distances between them.
        commands: What to type next: ``again``, ``recover``, and of a run that its gate has stopped
            ``publish`` and ``drop``.
    """

    job: str
    run_id: str
    status: Status
    dry_run: bool = False
    step: str = ""
    reason: str = ""
    transient: bool = False
    started_at: str
    finished_at: str
    parameters: Mapping[str, str]
    bundle: Mapping[str, str]
    source: str = ""
    deadline: str = ""
    snapshot: Sequence[Mapping[str, Any]] = field(default_factory=list)
    target: str
    spark_application_id: str
    versions: Mapping[str, str]
    scan: str = ""
    writer: str = ""
    rows_in: int | None = None
    rows_unchanged: int | None = None
    rows_carried: int | None = None
    rows_out: int | None = None
    rows_rejected: int | None = None
    rows_pending: int | None = None
    rows_quarantined: int | None = None
    seconds: Mapping[str, float]
    rows_per_second: float | None = None
    throughput: Sequence[Mapping[str, Any]] = field(default_factory=list)
    rejects: Sequence[Mapping[str, Any]] = field(default_factory=list)
    batches: Mapping[str, Any] = field(default_factory=dict)
    gate: Sequence[Mapping[str, Any]] = field(default_factory=list)
    drift: Sequence[Mapping[str, Any]] = field(default_factory=list)
    challengers: Sequence[Mapping[str, Any]] = field(default_factory=list)
    commands: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data: numbers that JSON has not, such as NaN, are text."""
        data: dict[str, Any] = finite(asdict(self))
        return data

    def path(self, directory: str | os.PathLike[str]) -> Path | Place:
        """Return the place of the report: ``<directory>/<job>-<run id>.json``."""
        return folder_of(directory) / self._name

    def page_path(self, directory: str | os.PathLike[str]) -> Path | Place:
        """Return the place of the page: ``<directory>/<job>-<run id>.html``."""
        return folder_of(directory) / f"{self._stem}.html"

    @property
    def _name(self) -> str:
        return f"{self._stem}.json"

    @property
    def _stem(self) -> str:
        return f"{self.job}-{self.run_id}"

    def write(self, directory: str | os.PathLike[str], *, html: bool = True) -> Path | Place:
        """Write the report to its place: a directory in one step, or a URI as the store does it.

        Args:
            directory: Where to.
            html: Whether its page is written as well, beside it.

        Raises:
            ConfigError: The directory cannot be written.
        """
        text = json.dumps(self.to_json(), indent=2) + "\n"
        place = wanted = write_text(directory, self._name, text)
        if html:
            try:
                text = page(self)
            except Exception:
                # It all stands in the report. A night must not fail, nor lose its reason, by this.
                _log.warning("the report of run %s has no page", self.run_id, exc_info=True)
            else:
                wanted = write_text(directory, f"{self._stem}.html", text)
        _log.info("report: %s", wanted)
        return place

    @classmethod
    def find(cls, directory: str | os.PathLike[str], job: str, run_id: str) -> RunReport | None:
        """Return the report of a run; None where there is none that can be read."""
        try:
            text = read_text(directory, f"{job}-{run_id}.json")
            return None if text is None else cls.from_text(text)
        except (ConfigError, ValueError):
            return None

    @classmethod
    def from_text(cls, text: str) -> RunReport:
        """Read what ``write`` has written. What a later version says beside is passed over.

        Raises:
            ValueError: It is none; the message says in a few words what is wrong.
        """
        try:
            data = json.loads(text)
            _check(data, _MAX_DEPTH)
            return _adapter().validate_python(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{where}: {first['msg']}") from None
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def summary(self) -> dict[str, str]:
        """Return what a person wants to see first, label by label."""
        steps = ", ".join(f"{name} {value:.1f}" for name, value in self.seconds.items())
        num_batches = self.batches.get("num_batches", 0)
        batches = f"{num_batches:,}"
        if num_batches:
            batches += f" of {self.batches.get('num_predicted', 0) / num_batches:,.0f} rows"
            batches += f", {self.batches.get('padding_efficiency', 1):.0%} of positions real"
        return {
            "job": f"{self.job}, run {self.run_id}",
            "parameters": ", ".join(f"{k}={v}" for k, v in self.parameters.items()) or "none",
            "bundle": f"{self.bundle.get('name', '')} {self.bundle.get('digest', '')[:12]}".strip()
            or self.bundle.get("path", ""),
            "target": self.target,
            "scan": self.scan,
            "rows": f"{self.rows_in or 0:,} in, {self.rows_out or 0:,} out, "
            f"{self.rows_rejected or 0:,} rejected{self._others()}",
            **{f"challenger {each['name']}": told(each) for each in self.challengers},
            "speed": f"{self.rows_per_second or 0:,.0f} rows/s while scoring",
            "seconds": steps,
            "batches": batches,
            "spark": self.spark_application_id,
        }

    def _others(self) -> str:
        """Return counts that not every job has."""
        counts = {
            "unchanged": self.rows_unchanged,
            "carried over": self.rows_carried,
            "in quarantine": self.rows_quarantined,
            "pending": self.rows_pending,
        }
        return "".join(f", {count:,} {what}" for what, count in counts.items() if count is not None)


def now_text() -> str:
    """Return the time as a report has it."""
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")


def finite(data: Any) -> Any:
    """Return JSON data with text in the place of NaN and infinite numbers, which are no JSON."""
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    if isinstance(data, Mapping):
        return {name: finite(value) for name, value in data.items()}
    return [finite(item) for item in data] if isinstance(data, list | tuple) else data


def _check(data: Any, depth: int) -> None:
    """Raise ValueError for what no run writes, and nobody who shows a report can show."""
    if isinstance(data, int) and data.bit_length() > _MAX_BITS:
        raise ValueError(f"a number has more than {_MAX_BITS} bits")
    if isinstance(data, dict | list) and depth == 0:
        raise ValueError("it is nested too deeply")
    items = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for item in items:
        _check(item, depth - 1)


@cache
def _adapter() -> TypeAdapter[RunReport]:
    return TypeAdapter(RunReport)
