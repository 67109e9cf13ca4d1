"""Jobs into a table of Iceberg that end in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import spark_infer as si
from spark_infer.model.deadline import PENDING
from tests.clock import LAST
from tests.iceberg.test_modes import APPEND, MERGE, OVERWRITE
from tests.late import NONE_LATE, begin, in_time, insert_five, skipping

__all__ = ["begin", "skipping"]
CONTENT = {"by": "content"}


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("target", "incremental"), [(MERGE, CONTENT), (OVERWRITE, CONTENT), (APPEND, None)]
)
def test_what_is_late_waits_and_the_next_run_completes_it(
    job: Any,
    skipping: si.Bundle,
    begin: Callable[[float], None],
    target: dict[str, Any],
    incremental: dict[str, Any] | None,
) -> None:
    job.transactions()
    insert_five(job.spark, "DATE'2018-08-08', 'EU'")
    job.config |= in_time(skipping) | {"incremental": incremental}
    begin(0)
    report = job.run(target=target)
    scored = [(1, 2.0, None), (2, 4.0, None), (3, 2 * LAST, None)]
    late = [] if target == APPEND else [(4, None, PENDING), (5, None, PENDING)]
    assert job.rows_of("id, score, rejected_reason") == scored + late
    assert (report.rows_in, report.rows_pending, report.rows_rejected) == (5, 2, 0)
    begin(NONE_LATE)
    again = job.run(target=target)
    assert job.rows_of("id, score, rejected_reason") == [*scored, (4, 8.0, None), (5, 10.0, None)]
    assert (again.rows_in, again.rows_pending) == (2, 0)
