"""Append, overwrite and merge into a table of PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

OVERWRITE = {"partition_by": ["day"]}
APPEND = {"mode": "append"}
MERGE = {"mode": "merge"}
DELETE = {"mode": "merge", "delete_missing": True}
MODES = [OVERWRITE, APPEND, MERGE, DELETE]
FIRST = [(1, 8, 2.0), (2, 8, 4.0), (3, 9, 6.0)]
ONE_DAY = {"table": "store.tx", "filter": "day = :date"}


@pytest.mark.parametrize("target", MODES)
def test_the_same_run_twice_gives_the_same_rows(job: Any, target: dict[str, Any]) -> None:
    assert job.run(target=target).rows_out == 3
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]
    again = job.run(target=target)
    assert again.rows_out == (0 if target.get("mode") == "append" else 3)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]
