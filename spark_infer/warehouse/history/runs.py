"""The runs of a job, as their reports tell of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile

from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError, some
from spark_infer.report import RunList, RunReport
from spark_infer.report.files import file_names, read_text
from spark_infer.warehouse.run_id import EXAMPLE, RUN_ID

LAST = "last"
"""What stands for the newest run in the place of an id."""
_PUBLISHED = ("done", "published")
"""Of a run whose rows stand in the target."""


@dataclass(frozen=True)
class Runs:
    """The reports of a job's runs.

    Names of reports hold the job and the run, and runs sort by when they began: so the newest are
    found by a list of names, however many there are, and no other report is opened.

    Attributes:
        job: Name of the job.
        directory: Where its reports are.
    """

    job: str
    directory: str

    def ids(self) -> list[str]:
        """Return the runs that have reports, the newest first.

        Raises:
            ConfigError: The directory cannot be listed.
        """
        name = re.compile(rf"{re.escape(self.job)}-({RUN_ID.pattern})\.json")
        matches = (name.fullmatch(file) for file in file_names(self.directory))
        return sorted((match[1] for match in matches if match), reverse=True)

    def newest(self, number: int) -> RunList:
        """Return some runs. A file that is no report is named, and the others are there.

        Args:
            number: How many, at the most.

        Raises:
            ConfigError: The directory cannot be listed, or ``number`` is less than one.
        """
        if type(number) is not int or number < 1:
            raise ConfigError(f"how many runs to show must be 1 or more, got {shown(number)}")
        ids = self.ids()
        runs, unreadable = [], {}
        for run_id in ids[:number]:
            try:
                runs.append(self._read(run_id))
            except ConfigError as error:
                unreadable[self._name(run_id)] = str(error)
        return RunList(
            job=self.job,
            directory=self.directory,
            num_runs=len(ids),
            runs=runs,
            unreadable=unreadable,
        )

    def readable(self) -> Iterator[RunReport]:
        """Yield the reports that can be read, the newest first, each opened when it is asked for.

        Raises:
            ConfigError: The directory cannot be listed.
        """
        for run_id in self.ids():
            with suppress(ConfigError):
                yield self._read(run_id)

    def done(self, number: int, *, among: int) -> list[RunReport]:
        """Return the newest runs that were published, as far as they can be read.

        Args:
            number: How many, at the most.
            among: How many reports are opened to find them, at the most.
        """
        reports = islice(self.readable(), among)
        done = (report for report in reports if report.status in _PUBLISHED)
        return list(islice(done, number))

    def later(self, run_id: str, parameters: Mapping[str, str]) -> list[str]:
        """Return the runs with some parameters that began after a run and were published.

        Raises:
            ConfigError: The directory cannot be listed.
        """
        newer = takewhile(lambda report: report.run_id > run_id, self.readable())
        return sorted(
            report.run_id
            for report in newer
            if report.status in _PUBLISHED and report.parameters == parameters
        )

    def find(self, run_id: str) -> RunReport:
        """Return the report of a run.

        Args:
            run_id: The run, or ``last`` for the newest.

        Raises:
            ConfigError: It is no run, has no report here, or one that cannot be read.
        """
        if run_id == LAST:
            if not (ids := self.ids()):
                raise ConfigError(
                    f"job {self.job!r} has no report in report.path {self.directory} yet"
                )
            return self._read(ids[0])
        if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
            raise ConfigError(
                f"{shown(run_id)} is no run; spark-infer runs JOB lists them, such as {EXAMPLE}, "
                f"and {LAST} is the newest"
            )
        return self._read(run_id)

    def _read(self, run_id: str) -> RunReport:
        name = self._name(run_id)
        text = read_text(self.directory, name)
        if text is None:
            raise self._unknown(run_id)
        try:
            report = RunReport.from_text(text)
            if (report.job, report.run_id) != (self.job, run_id):
                raise ValueError(f"it is of run {report.run_id} of job {report.job!r}")
        except ValueError as error:
            raise ConfigError(
                f"report.path {self.directory}: {name} is no report of this run "
                f"({str(error)[:300]}); restore the file, or remove it"
            ) from None
        return report

    def _unknown(self, run_id: str) -> ConfigError:
        """Return what to say of a run that has no report."""
        tail = f"-{run_id}.json"
        others = [
            repr(file.removesuffix(tail))
            for file in sorted(file_names(self.directory))
            if file.endswith(tail)
        ]
        known = self.ids()
        newest = f"the newest is {known[0]}" if known else "it has none there"
        whose = f"it is one of job {some(others)}; " if others else ""
        return ConfigError(
            f"job {self.job!r} has no report of run {run_id} in report.path {self.directory}: "
            f"{whose}{newest}; spark-infer runs JOB lists them"
        )

    def _name(self, run_id: str) -> str:
        return f"{self.job}-{run_id}.json"
