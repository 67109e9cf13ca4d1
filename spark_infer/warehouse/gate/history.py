"""What a job's gate remembers of earlier runs: the first one that was published, and the last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spark_infer.bundle.documents import parse
from spark_infer.bundle.profile import Profile
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.report.files import read_text, write_text
from spark_infer.warehouse.config import ParameterConfig

_VERSION = 1
_OF_TIME = ("date", "timestamp", "timestamp_ntz")


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """A run that was published.

    Attributes:
        run_id: The run.
        digest: The bundle by which its rows were scored.
        rows: How many these were.
        profile: Distributions of what its drift checks are about.
    """

    run_id: str
    digest: str
    rows: int
    profile: Profile

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "run_id": self.run_id,
            "digest": self.digest,
            "rows": self.rows,
            "profile": self.profile.to_json(),
        }

    @classmethod
    def from_json(cls, data: Any) -> Remembered:
        """Read what ``to_json`` gave; KeyError, TypeError or SignatureError where it is not."""
        rows, texts = data["rows"], (data["run_id"], data["digest"])
        if type(rows) is not int or rows < 0 or not all(isinstance(text, str) for text in texts):
            raise SignatureError("a run must have run_id, digest and rows")
        return cls(
            run_id=texts[0], digest=texts[1], rows=rows, profile=Profile.from_json(data["profile"])
        )


@dataclass(frozen=True, kw_only=True)
class History:
    """A file in the reports' directory, where every kind of target has one.

    It lies there and not beside the table, as a table need not have a folder, and a job that
    begins to write to another table is compared with itself all the same. One file, so that the
    years of reports beside it need not be listed, and may be deleted. Runs of one job
    whose parameters differ in more than dates and times have a file for each of them: rows of
    another region are no yesterday.

    Attributes:
        reference: The first run of a bundle that was published and had rows; of columns that are
            checked since later, the first one that had them.
        previous: The last run that was.
    """

    reference: Remembered | None = None
    previous: Remembered | None = None

    @classmethod
    def read(cls, directory: str | os.PathLike[str], name: str) -> History:
        """Return what is remembered; nothing where the file is not there.

        Args:
            directory: That of the reports.
            name: See ``history_name``.

        Raises:
            ConfigError: The file is damaged.
        """
        text = read_text(directory, name)
        if text is None:
            return cls()
        try:
            data = parse(text.encode())
            if data["version"] != _VERSION:
                raise ValueError(f"version {data['version']} is unknown")
            runs = {key: data[key] for key in ("reference", "previous")}
            return cls(
                **{k: None if v is None else Remembered.from_json(v) for k, v in runs.items()}
            )
        except (ValueError, KeyError, TypeError, SignatureError) as error:
            raise ConfigError(
                f"report.path {directory}: {name}, by which the gate compares with earlier runs, "
                f"is damaged ({str(error)[:300]}); remove it, and the next run begins anew"
            ) from None

    def of(self, digest: str) -> Profile | None:
        """Return the profile of the first run of a bundle."""
        found = self.reference
        return None if found is None or found.digest != digest else found.profile

    def after(self, run: Remembered) -> History:
        """Return what is remembered once a run is published."""
        known, reference = self.of(run.digest), self.reference
        if known is None and run.rows:
            reference = run
        elif known is not None and reference is not None and run.rows:
            # Columns that are checked since.
            profile = Profile(
                inputs={**run.profile.inputs, **known.inputs},
                outputs={**run.profile.outputs, **known.outputs},
            )
            reference = replace(reference, profile=profile)
        return History(reference=reference, previous=run)

    def write(self, directory: str | os.PathLike[str], name: str) -> None:
        """Write the file in one step. Errors are those of ``RunReport.write``."""
        runs = {"reference": self.reference, "previous": self.previous}
        data = {k: None if run is None else run.to_json() for k, run in runs.items()}
        write_text(directory, name, json.dumps({"version": _VERSION, **data}, allow_nan=False))


def history_name(
    job: str, declared: Mapping[str, ParameterConfig], texts: Mapping[str, str]
) -> str:
    """Return the name of a job's file.

    Args:
        job: The job's name.
        declared: Its parameters.
        texts: Their values as text.
    """
    told = {name: text for name, text in texts.items() if declared[name].type not in _OF_TIME}
    content = json.dumps(told, sort_keys=True).encode()
    return f"{job}.{hashlib.sha256(content).hexdigest()[:8]}.profiles.json"
