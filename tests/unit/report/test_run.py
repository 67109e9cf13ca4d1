"""The run report as file and summary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spark_infer.errors import ConfigError
from spark_infer.report import RunReport


@pytest.fixture
def report() -> RunReport:
    return RunReport(
        job="nightly",
        run_id="20180808T040000Z-0a1b2c3d",
        started_at="2018-08-08T04:00:00+00:00",
        parameters={"date": "2018-08-08"},
        bundle={"name": "fraud", "digest": "ab" * 32, "path": "bundles/fraud"},
        target="bank.scores",
        spark_application_id="local-1",
        rows_in=12_345,
        rows_out=12_345,
        rows_rejected=6,
        seconds={"check": 0.5, "score": 2.25},
        rows_per_second=5486.7,
        batches={"num_batches": 4, "num_predicted": 12_339, "padding_efficiency": 0.956},
    )


def test_is_written_whole(report: RunReport, tmp_path: Path) -> None:
    path = report.write(tmp_path / "new" / "reports")
    assert path.name == "nightly-20180808T040000Z-0a1b2c3d.json"
    assert json.loads(path.read_text()) == report.to_json()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_summary_says_what_matters(report: RunReport) -> None:
    summary = report.summary()
    assert summary["rows"] == "12,345 in, 12,345 out, 6 rejected"
    assert summary["batches"] == "4 of 3,085 rows, 96% of positions real"
    assert summary["seconds"] == "check 0.5, score 2.2"
    assert summary["parameters"] == "date=2018-08-08"


def test_a_directory_that_cannot_be_made_is_named(report: RunReport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"report\.path .*file/reports"):
        report.write(tmp_path / "file" / "reports")
