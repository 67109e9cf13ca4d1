"""Which rows of the source a run scores again."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from spark_infer.warehouse.values import Section, WrittenText

HASH_COLUMN = "content_hash"
"""Column of the target: the hash of the values from which a row was scored."""
GONE_COLUMN = "gone_at"
"""Column of the target: when a run has found that a row had left the source."""
_SECONDS = {"second": 1, "minute": 60, "hour": 60 * 60, "day": 24 * 60 * 60, "week": 7 * 86400}
_MOST_DAYS = 36_500
_LATENESS = re.compile(rf"(\d{{1,9}})(?:\s+({'|'.join(_SECONDS)})s?)?")


class Lateness(NamedTuple):
    """How far below the highest value of a column rows may yet come.

    Attributes:
        number: A number of the column's own, or of seconds.
        is_time: Whether it is of seconds.
    """

    number: int
    is_time: bool


class IncrementalConfig(Section):
    """Which rows a run scores; what it leaves is as a run of all rows would have it."""

    by: Literal["full", "content", "watermark"] = Field(
        "full",
        description="full: all rows. content: new rows, rows of which a value that the model reads "
        f"has changed, rows that another bundle has scored, and those without a prediction; the "
        f"target gets a column {HASH_COLUMN}, and an overwrite leaves partitions alone of which no "
        "row has changed. watermark: of the rows whose column is above the "
        "highest value in the target, less lateness, or null, those that an append would score, "
        "or of a merge those of content.",
    )
    column: str | None = Field(
        None,
        description="For watermark: a column of key or target.keep that grows: a timestamp, date "
        "or integer. Values in the future do not count as highest.",
    )
    lateness: WrittenText | None = Field(
        None,
        description="For watermark: how late a row may come: 2 hours, 3 days; of an integer column "
        "a number. Default: not at all.",
    )
    gone: Literal["keep", "delete", "mark"] | None = Field(
        None,
        description="What becomes of rows of the target that the run is about, and that have left "
        f"the source: keep; delete; mark, by the time of the run in a column {GONE_COLUMN}. "
        "Default: as without this section, delete in mode overwrite and keep in the others. A "
        "merge deletes by target.delete_missing.",
    )

    @model_validator(mode="after")
    def _has_its_keys(self) -> IncrementalConfig:
        if self.by == "watermark" and self.column is None:
            raise ValueError("by: watermark needs column, one of key or target.keep that grows")
        if self.by != "watermark":
            for key in ("column", "lateness"):
                # One run of everything is by: full on the command line, whatever the file says.
                if self.by == "content" and getattr(self, key) is not None:
                    raise ValueError(f"{key} belongs to by: watermark; leave it out")
        if self.lateness is not None and not _LATENESS.fullmatch(self.lateness):
            raise ValueError(
                f"lateness must be a number of {', '.join(f'{unit}s' for unit in _SECONDS)}, such "
                f"as 2 hours, or of an integer column a number alone; got {self.lateness!r}"
            )
        if self.late.is_time and self.late.number > _MOST_DAYS * _SECONDS["day"]:
            raise ValueError(f"lateness is at most {_MOST_DAYS:,} days, got {self.lateness!r}")
        return self

    @property
    def late(self) -> Lateness:
        """How late a row may come."""
        found = _LATENESS.fullmatch(self.lateness or "0")
        assert found is not None
        unit = found[2]
        return Lateness(int(found[1]) * _SECONDS.get(unit or "", 1), unit is not None)

    def check_mode(self, mode: str, *, delete_missing: bool) -> None:
        """Raise ValueError where a target of this mode cannot do it."""
        if self.by == "content" and mode == "append":
            raise ValueError(
                "incremental.by content replaces rows that have changed, and mode append replaces "
                "none; use mode overwrite or merge"
            )
        if self.by == "watermark" and mode == "overwrite":
            raise ValueError(
                "incremental.by watermark reads a part of a partition, and mode overwrite replaces "
                "all of it; use mode append or merge, or incremental.by content"
            )
        if mode == "append" and self.gone not in (None, "keep"):
            raise ValueError(f"incremental.gone {self.gone}: mode append changes no row; use merge")
        if mode == "merge" and self.gone == "delete":
            raise ValueError("incremental.gone delete: a merge says target.delete_missing: true")
        if delete_missing and self.gone is not None:
            raise ValueError(
                f"incremental.gone {self.gone} and target.delete_missing: true say two things of "
                "rows that have left the source; leave one of them out"
            )

    @property
    def is_on(self) -> bool:
        """Whether a run does anything else than score all rows."""
        return self.by != "full" or self.gone is not None

    def compares(self, mode: str) -> bool:
        """Return whether rows are left out that are as they were; an append looks at keys alone."""
        return self.by == "content" or (self.by == "watermark" and mode == "merge")

    def columns(self, mode: str) -> tuple[str, ...]:
        """Return the columns that the target has for it, beside those of any job."""
        marks = (GONE_COLUMN,) if self.gone == "mark" else ()
        has_hash = self.compares(mode) or marks
        return ((HASH_COLUMN,) if has_hash else ()) + marks
