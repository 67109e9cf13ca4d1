"""Run reports on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spark_infer.cli import render
from spark_infer.cli.main import main
from spark_infer.report import report_schema
from tests.unit.report.reports import RUN_ID, full_report


def test_the_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render.run_report(full_report(), "reports", html=True, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert ["report", f"reports/nightly-{RUN_ID}.json"] in [line.split() for line in lines]
    assert ["page", f"reports/nightly-{RUN_ID}.html"] in [line.split() for line in lines]
    render.run_report(full_report(), "reports", html=False, as_json=False)
    assert "page" not in [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["reference", "--report"])
    assert not done.value.code
    assert json.loads(capsys.readouterr().out) == json.loads(report_schema())
