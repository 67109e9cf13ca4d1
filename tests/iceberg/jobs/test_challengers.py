"""Challengers beside a job that writes to a table of Iceberg."""

from __future__ import annotations

from typing import Any

import pytest

from tests.iceberg.test_modes import APPEND, FIRST, MERGE, OVERWRITE


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
def test_predictions_stand_beside_each_other(job: Any, double: Any, target: dict[str, Any]) -> None:
    challenger = {"path": str(double.path)}
    challengers = {"twin": challenger, "hidden": challenger | {"shadow": True}}
    gate = [{"check": "disagreement", "max": 0, "action": "warn"}]
    for added in (3, 1):  # The first run makes the table.
        report = job.run(challengers=challengers, target=target, gate=gate)
        scored = added if target == APPEND else report.rows_in
        assert [each["disagreement"]["compared"] for each in report.challengers] == [scored] * 2
        assert {result["value"] for result in report.gate} == {0.0}
        job.transactions("1 8", "2 8", "3 9", "4 9")
    found = job.spark.table("ice.lake.scores")
    assert [name for name in found.columns if name.endswith("score")] == ["score", "twin_score"]
    assert found.where("score <=> twin_score").count() == 4
    assert job.scores()[:3] == FIRST
