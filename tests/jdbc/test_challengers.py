"""Challengers beside a job that writes to PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.jdbc.test_modes import APPEND, FIRST, MERGE, OVERWRITE


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
def test_predictions_stand_beside_each_other(job: Any, double: Any, target: dict[str, Any]) -> None:
    challenger = {"path": str(double.path)}
    challengers = {"twin": challenger, "hidden": challenger | {"shadow": True}}
    gate = [{"check": "disagreement", "max": 0}]
    report = job.run(challengers=challengers, target=target, gate=gate)
    assert job.scores() == FIRST
    rows = job.server.sql("SELECT score, twin_score FROM lake.scores")
    assert [score for score, _ in rows] == [twin for _, twin in rows]
    assert [each["disagreement"]["compared"] for each in report.challengers] == [3, 3]
    assert [result["value"] for result in report.gate] == [0.0, 0.0]
    columns = job.server.sql(
        "SELECT column_name FROM information_schema.columns WHERE column_name LIKE '%score'"
    )
    assert {name for (name,) in columns} == {"score", "twin_score"}
