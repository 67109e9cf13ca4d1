"""Jobs into PostgreSQL that end in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import spark_infer as si
from tests.clock import LAST
from tests.jdbc.test_modes import APPEND
from tests.late import NONE_LATE, begin, in_time, insert_five, skipping

__all__ = ["begin", "skipping"]


def test_an_append_leaves_out_what_is_late(
    job: Any, skipping: si.Bundle, begin: Callable[[float], None]
) -> None:
    job.transactions()
    insert_five(job.spark, "DATE'2018-08-08'")
    job.config |= in_time(skipping)
    begin(0)
    report = job.run(target=APPEND)
    scored = [(1, 8, 2.0), (2, 8, 4.0), (3, 8, 2 * LAST)]
    assert job.scores() == scored
    assert (report.rows_in, report.rows_out, report.rows_pending) == (5, 3, 2)
    begin(NONE_LATE)
    again = job.run(target=APPEND)
    assert job.scores() == [*scored, (4, 8, 8.0), (5, 8, 10.0)]
    assert (again.rows_in, again.rows_pending) == (2, 0)
