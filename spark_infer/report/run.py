"""The run report: what a job read, scored, rejected and wrote, and what it cost."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from spark_infer.bundle.places import Place, as_place
from spark_infer.errors import ConfigError, is_full
from spark_infer.report.page import page

_NUM_CHARACTERS = 2**18
"""More than a report and its page have, unless the gate compares a hundred columns."""
_MAX_BYTES = 2**26
_log = logging.getLogger(__name__)

Status = Literal["done", "failed", "interrupted", "stopped", "published", "dropped"]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One run of a job. What a run that failed had not come to know is None or empty.

    Attributes:
        job: Name of the job.
        run_id: Identifies the run in the target table.
        status: How it ended; one that its gate has ``stopped`` is ``published`` or ``dropped`` by
            hand.
        step: The step in which it failed; ``""`` where it did not.
        reason: What the error said; ``""`` where there was none.
        transient: Whether its cause passes by itself.
        started_at: UTC, ISO 8601.
        finished_at: UTC, ISO 8601.
        parameters: What the run was given.
        bundle: Name, digest and path of the bundle.
        source: Table or files that were read, with the filter.
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
        rows_quarantined: Rows among them that are in the quarantine. None where there is none.
        seconds: Wall-clock seconds of each step of the job.
        rows_per_second: Rows scored for each second of scoring.
        batches: What the predictors counted; their seconds are summed over tasks.
        gate: Each check of the job's gate: check, column, value, limit, action, outcome.
        drift: Each output and feature that the gate compares: its distribution now and in the
            reference, where that comes from, and the distances between them.
        commands: What to type next: ``again``, ``recover``, and of a run that its gate has stopped
            ``publish`` and ``drop``.
    """

    job: str
    run_id: str
    status: Status
    step: str = ""
    reason: str = ""
    transient: bool = False
    started_at: str
    finished_at: str
    parameters: Mapping[str, str]
    bundle: Mapping[str, str]
    source: str = ""
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
    rows_quarantined: int | None = None
    seconds: Mapping[str, float]
    rows_per_second: float | None = None
    batches: Mapping[str, Any] = field(default_factory=dict)
    gate: Sequence[Mapping[str, Any]] = field(default_factory=list)
    drift: Sequence[Mapping[str, Any]] = field(default_factory=list)
    commands: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return asdict(self)

    def path(self, directory: str | os.PathLike[str]) -> Path | Place:
        """Return the place of the report: ``<directory>/<job>-<run id>.json``."""
        return _folder(directory) / self._name

    def page_path(self, directory: str | os.PathLike[str]) -> Path | Place:
        """Return the place of the page: ``<directory>/<job>-<run id>.html``."""
        return _folder(directory) / f"{self._stem}.html"

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
            return None if text is None else cls(**json.loads(text))
        except (ConfigError, TypeError, ValueError):
            return None

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
            "scan": self.scan,
            "rows": f"{self.rows_in or 0:,} in, {self.rows_out or 0:,} out, "
            f"{self.rows_rejected or 0:,} rejected{self._others()}",
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
        }
        return "".join(f", {count:,} {what}" for what, count in counts.items() if count is not None)


def now_text() -> str:
    """Return the time as a report has it."""
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")


def write_text(directory: str | os.PathLike[str], name: str, text: str) -> Path | Place:
    """Write a file into the reports' directory. Errors are those of ``RunReport.write``."""
    folder = _folder(directory)
    if isinstance(folder, Place):
        folder.write(name, io.BytesIO(text.encode()))
        return folder / name
    with _writing(folder) as file:
        file.write(text)
        file.flush()
        # Not by its name, which others could have given to something else by now.
        os.fchmod(file.fileno(), 0o644)
        Path(file.name).rename(folder / name)
    return folder / name


def read_text(directory: str | os.PathLike[str], name: str) -> str | None:
    """Return the text of a file in the reports' directory; None where it is not there.

    Raises:
        ConfigError: It cannot be read, or is larger than any that is written there.
    """
    folder = _folder(directory)
    try:
        if isinstance(folder, Place):
            if name not in folder.files():
                return None
            return folder.read(name, _MAX_BYTES).decode()
        with (folder / name).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"report.path {folder}: {name} cannot be read: {error}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"report.path {folder}: {name} has more than {_MAX_BYTES:,} bytes")
    return content.decode(errors="replace")


def check_writable(directory: str | os.PathLike[str]) -> None:
    """Prove that a report can be written, by writing as much as one holds.

    Raises:
        ConfigError: The directory cannot be made or written, or its disk is full.
    """
    folder = _folder(directory)
    if isinstance(folder, Place):
        folder.check_writable(_NUM_CHARACTERS)
        return
    with _writing(folder) as file:
        file.write(" " * _NUM_CHARACTERS)
        file.flush()


def _folder(directory: str | os.PathLike[str]) -> Path | Place:
    return as_place(directory, name="report.path", what="report.path", error=ConfigError)


@contextmanager
def _writing(folder: Path) -> Iterator[IO[str]]:
    """Open a hidden file, which is gone at the end unless it has been given another name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=".", suffix=".json", delete=False, encoding="utf-8"
        ) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"report.path {folder} cannot be written: {error.strerror}; make room there, or name "
            "another directory",
            transient=is_full(error),
        ) from None
