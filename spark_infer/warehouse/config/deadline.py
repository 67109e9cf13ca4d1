"""Until when a job predicts, and which rows come first."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spark_infer.warehouse.config.job import JobConfig

EXIT_CODES = (0, 5, 75)
"""With which a command may end whose run was published and is not complete."""
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DIRECTION = re.compile(
    r"(?s)(?P<sql>.*\S)\s+(?P<way>ASC|DESC)(?:\s+NULLS\s+(?P<nulls>FIRST|LAST))?\s*", re.IGNORECASE
)


class OrderKey(NamedTuple):
    """By what rows are ordered.

    Attributes:
        sql: An expression.
        descends: Whether its largest value comes first.
        nulls_first: Where nulls come; None is Spark's rule: first of those that ascend.
    """

    sql: str
    descends: bool = False
    nulls_first: bool | None = None

    @classmethod
    def of(cls, text: str) -> OrderKey:
        """Read one as ``ORDER BY`` has it, such as ``amount DESC``."""
        found = _DIRECTION.fullmatch(text)
        if found is None:
            return cls(text)
        nulls = found["nulls"]
        first = None if nulls is None else nulls.upper() == "FIRST"
        return cls(found["sql"], found["way"].upper() == "DESC", first)


def time_of_day(text: str) -> dt.time:
    """Return a time of day.

    Raises:
        ValueError: It is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"must be a time of day from 00:00 to 23:59, such as 02:30; got {text!r}")
    return dt.time(int(found[1]), int(found[2]))


def check_deadline(job: JobConfig) -> None:
    """Raise ValueError where a job cannot do what it says of a deadline."""
    if job.deadline is None:
        for key in ("order_by", "deadline_exit"):
            if getattr(job, key):
                raise ValueError(f"{key} says nothing without deadline; add one or leave it out")
        return
    incremental = job.incremental.by
    if incremental == "watermark":
        raise ValueError(
            "deadline leaves rows to the next run, and incremental.by watermark would pass over "
            "those that lie below the highest that was scored; use incremental.by content, or mode "
            "append alone"
        )
    if job.target.mode != "append" and incremental != "content":
        raise ValueError(
            f"deadline leaves rows to the next run, which in mode {job.target.mode} finds them by "
            "incremental.by content; add it, or use mode append"
        )
    if job.challengers:
        raise ValueError(
            "challengers take time that rows before the deadline need; give them a job without "
            "deadline"
        )
    if job.order_by and job.source.scan == "direct":
        raise ValueError(
            "order_by has Spark order the rows, which source.scan direct leaves as the files have "
            "them; use scan auto or jvm, or leave order_by out"
        )
