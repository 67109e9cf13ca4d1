"""What identifies a run."""

from __future__ import annotations

import datetime as dt
import re
import uuid

EXAMPLE = "20180808T040000.000000Z-0a1b2c3d"
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}")
"""Matches the whole of one."""
_BEGUN = "%Y%m%dT%H%M%S.%fZ"


def new_run_id(begun: dt.datetime) -> str:
    """Return an id for a run.

    Ids sort as their runs began, to the microsecond: two runs of one second have an order too.

    Args:
        begun: When it began, in UTC.
    """
    return f"{begun:{_BEGUN}}-{uuid.uuid4().hex[:8]}"


def begun_at(run_id: str) -> dt.datetime:
    """Return when a run began, in UTC."""
    text, _, _ = run_id.rpartition("-")
    return dt.datetime.strptime(text, _BEGUN).replace(tzinfo=dt.timezone.utc)
