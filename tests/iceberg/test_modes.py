"""Append, overwrite and merge into a table of Iceberg."""

from __future__ import annotations

from typing import Any

import pytest

OVERWRITE = {"partition_by": ["day"]}
APPEND = {"mode": "append"}
MERGE = {"mode": "merge"}
DELETE = {"mode": "merge", "delete_missing": True}
MODES = [OVERWRITE, APPEND, {"mode": "append", "partition_by": ["day"]}, MERGE, DELETE]
FIRST = [(1, 8, 2.0), (2, 8, 4.0), (3, 9, 6.0)]


@pytest.mark.parametrize("target", MODES)
def test_the_same_run_twice_gives_the_same_rows(job: Any, target: dict[str, Any]) -> None:
    assert job.run(target=target).rows_out == 3
    assert job.scores() == FIRST
    assert job.branches() == ["main"]
    rows = 0 if target.get("mode") == "append" else 3
    assert job.run(target=target).rows_out == rows
    assert job.scores() == FIRST
    assert job.branches() == ["main"]
