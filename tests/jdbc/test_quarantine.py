"""The table of rejected rows beside a target in a database."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.warehouse.quarantine import Quarantine
from tests.jdbc.faults.test_faults import before
from tests.jdbc.test_modes import APPEND


@pytest.mark.parametrize("ours", [1, 9])
def test_rows_that_an_append_leaves_out_are_not_its_quarantines(
    job: Any, monkeypatch: pytest.MonkeyPatch, ours: int
) -> None:
    """Another run adds them meanwhile, with a prediction or without."""
    changes: dict[str, Any] = {
        "target": APPEND,
        "quarantine": {"table": "store.rejects"},
        "batch": {"max_rejected_share": 1.0},
    }

    def rejecting(number: int) -> dict[str, Any]:
        return {"features": {"a": f"if(id = {number}, CAST(NULL AS DOUBLE), a)"}}

    one = job.load(**changes, **rejecting(ours))
    other = lambda *_, **__: job.run(**changes, **rejecting(2))  # noqa: E731
    before(monkeypatch, Quarantine, "published", other)
    one.run(job.spark)
    job.spark.sql("REFRESH TABLE store.rejects")
    found = [row[0] for row in job.spark.sql("SELECT id FROM store.rejects").collect()]
    assert found == [2]
    assert job.server.sql("SELECT id FROM lake.scores WHERE score IS NULL") == [("2",)]
