"""Runs on the command line: listed, shown, and what is wrong. Nothing here starts Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.cli import history, render
from spark_infer.cli.main import main
from spark_infer.errors import ConfigError
from spark_infer.report import Replay
from tests.unit.report.reports import full_report

IDS = [f"2018080{day}T040000.000000Z-0a1b2c3{day}" for day in (7, 8, 9)]
JOB = """
name: nightly
parameters: {{date: {{type: date}}}}
source: {{table: t, filter: day = :date}}
key: [id, shop]
bundle: {{path: b}}
target: {{table: p, mode: append}}
report: {{path: {reports}}}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    file, reports = tmp_path / "job.yaml", tmp_path / "reports"
    file.write_text(JOB.format(reports=reports))
    full_report(run_id=IDS[0]).write(reports, html=False)
    failed = {"status": "failed", "step": "score", "reason": "no [red]room[/]", "transient": True}
    unknown: dict[str, Any] = {"rows_in": None, "rows_out": None, "rows_rejected": None}
    unknown |= {"rows_per_second": None, "gate": [], "batches": {}, "bundle": {"path": "b"}}
    full_report(run_id=IDS[1], **failed, **unknown).write(reports, html=False)
    full_report(run_id=IDS[2], status="stopped", dry_run=True, step="gate").write(
        reports, html=False
    )
    full_report(run_id=IDS[2], job="hourly").write(reports, html=False)
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("columns", [220, 80, 20])
def test_runs_are_one_a_line(
    capsys: pytest.CaptureFixture[str], job: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = run(capsys, "runs", job)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines == [
        "run began parameters outcome rows rejected rows/s took gate",
        f"{IDS[2]} 2018-08-08 04:00:00 date=2018-08-08 dry-run stopped in gate 1,204,331 412 "
        "6,638 221 s 1 warned, 4 passed",
        f"{IDS[1]} 2018-08-08 04:00:00 date=2018-08-08 failed in score 221 s",
        f"{IDS[0]} 2018-08-08 04:00:00 date=2018-08-08 done 1,204,331 412 6,638 221 s "
        "1 warned, 4 passed",
    ]


def test_the_last_ones_and_json(capsys: pytest.CaptureFixture[str], job: Path) -> None:
    _, out, _ = run(capsys, "runs", job, "--last", "2")
    assert "2 of 3 runs; --last N shows more" in out
    assert IDS[0] not in out
    code, out, _ = run(capsys, "runs", job, "--json", "--last", "2")
    data = json.loads(out)
    assert code == 0
    assert [row["run_id"] for row in data["runs"]] == [IDS[2], IDS[1]]
    assert (data["num_runs"], data["unreadable"]) == (3, {})
    assert data["runs"][1]["reason"] == "no [red]room[/]"
    code, _, err = run(capsys, "runs", job, "--last", "0")
    assert (code, "must be 1 or more, got 0" in err) == (2, True)


def test_a_damaged_report_is_said(capsys: pytest.CaptureFixture[str], job: Path) -> None:
    (job.parent / "reports" / f"nightly-{IDS[1]}.json").write_text("{")
    code, out, _ = run(capsys, "runs", job)
    assert code == 0
    assert all(run_id in out for run_id in IDS)
    assert f"nightly-{IDS[1]}.json is no report of this run" in out
    code, _, err = run(capsys, "show", job, IDS[1])
    assert (code, "is no report of this run" in err) == (2, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"batches": {"num_batches": "x"}},
        {"batches": {"num_batches": 1, "num_predicted": None}},
        {"batches": {"num_cached": [1]}},
        {"batches": {"seconds": [1]}},
        {"challengers": [{}]},
        {"challengers": [{"name": "a", "bundle": 5, "disagreement": None, "shadow": False}]},
        {"rejects": [{"reason": 5}]},
        {"gate": [{"name": "x"}]},
    ],
)
def test_a_report_that_no_run_wrote_is_said(
    capsys: pytest.CaptureFixture[str], job: Path, changes: dict[str, Any]
) -> None:
    file = job.parent / "reports" / f"nightly-{IDS[0]}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    code, _, err = run(capsys, "show", job, IDS[0])
    assert (code, "holds what no run writes" in " ".join(err.split())) == (2, True)


def test_a_pipe_in_the_place_of_a_report_is_not_waited_for(
    capsys: pytest.CaptureFixture[str], job: Path
) -> None:
    file = job.parent / "reports" / f"nightly-{IDS[1]}.json"
    file.unlink()
    os.mkfifo(file)
    code, out, _ = run(capsys, "runs", job)
    assert (code, "it is no plain file" in " ".join(out.split())) == (0, True)


def test_no_runs_yet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(JOB.format(reports=tmp_path / "none"))
    code, out, _ = run(capsys, "runs", file)
    assert (code, f"no run of nightly has a report in {tmp_path / 'none'}" in out) == (0, True)
    code, _, err = run(capsys, "show", file, "last")
    assert (code, "has no report in report.path" in err) == (2, True)


def test_a_run_is_shown_whole(
    capsys: pytest.CaptureFixture[str], job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = run(capsys, "show", job, IDS[0])
    assert code == 0
    for word in (
        *("outcome", "done", "date=2018-08-08", "1,204,331 in", "rows that the model ran"),
        *("column 'amount' is null", "401, such as tx_id=1007, shop=7; tx_id=99310, shop=<b>"),
        *("1,100,203", "seconds in tasks", "402.8", "row_ratio", "warned", "pyspark", "4.3.0"),
        *("bank.transactions where tx_date = :date", "spark-infer score conf/nightly.yaml"),
    ):
        assert word in out
    code, out, _ = run(capsys, "show", job, IDS[1])
    assert "failed, in step score" in out
    assert "no [red]room[/] (passes by itself)" in out
    code, out, _ = run(capsys, "show", job, "last")
    assert "stopped in a dry run, in step gate" in out
    _, out, _ = run(capsys, "show", job, IDS[0], "--json")
    assert json.loads(out)["rows_in"] == 1_204_331


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", IDS[0][:-1] + "0"), "has no report of run"),
        (("show", "yesterday"), "'yesterday' is no run; spark-infer runs JOB lists them"),
        (("replay", "x", "--key", "id"), "--key 'id' must look like NAME=VALUE"),
        (("replay", IDS[0], "--key", "id=1"), "and 'shop' has no value"),
        (("replay", IDS[0], "--key", "id=1", "--key", "id=2"), "--key id is given twice"),
        (("replay", IDS[0], "--key", "idd=1"), "did you mean 'id'?"),
        (("replay", IDS[2], "--key", "id=1", "--key", "shop=x"), "has published nothing"),
        (("replay", IDS[0], "--key", "id=1", "--key", "shop=x"), "bundle b"),
    ],
)
def test_wrong_input_has_code_2(
    capsys: pytest.CaptureFixture[str], job: Path, arguments: tuple[str, ...], said: str
) -> None:
    command, *rest = arguments
    code, _, err = run(capsys, command, job, *rest)
    assert code == 2
    assert said in " ".join(err.split())


def test_a_run_of_another_job_says_of_which(capsys: pytest.CaptureFixture[str], job: Path) -> None:
    other = "20180801T040000.000000Z-0a1b2c30"
    full_report(run_id=other, job="hourly").write(job.parent / "reports", html=False)
    code, _, err = run(capsys, "show", job, other)
    assert (code, "it is one of job 'hourly'" in " ".join(err.split())) == (2, True)


ODD = "urn:id:5 :warning: \\[x] a[\\ [bold]b[/] \\"


@pytest.mark.parametrize("columns", [400, 200])
def test_values_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str], job: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    gate = [{"check": "sql", "name": ODD, "column": ODD, "value": True, "limit": ODD}]
    changes: dict[str, Any] = {"run_id": IDS[0], "parameters": {ODD: ODD}, "reason": ODD}
    changes |= {"gate": [{**gate[0], "action": "warn", "outcome": "passed", "note": ""}]}
    full_report(**changes).write(job.parent / "reports", html=False)
    for command in (("runs", job), ("show", job, IDS[0])):
        code, out, _ = run(capsys, *command)
        assert code == 0
        assert f"{ODD}={ODD}" in out
    code, _, err = run(capsys, "show", job, ODD)
    assert code == 2
    assert "urn:id:5 :warning:" in err


def test_a_message_ends_as_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    for text in (ODD, ":on:", "[red]x[/red]", "\\"):
        render.error(ConfigError(text))
        assert capsys.readouterr().err == f"ConfigError: {text}\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"rows_in": 10**400},
        {"rows_rejected": -(10**400)},
        {"batches": {"num_batches": 1, "num_predicted": 10**400}},
        {"gate": [{"value": 10**400}]},
        {
            "snapshot": [{"place": [[[]]] * 2}] * 2,
            "parameters": {"a": "b"},
            "seconds": {"a": 1e400},
        },
        {"batches": {"num_batches": 1e-320, "num_predicted": 1e308}},
    ],
)
def test_numbers_that_no_run_writes_are_told(
    capsys: pytest.CaptureFixture[str], job: Path, changes: dict[str, Any]
) -> None:
    file = job.parent / "reports" / f"nightly-{IDS[0]}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    for command in (("runs", job), ("show", job, IDS[0])):
        for options in ([], ["--json"]):
            code, out, _ = run(capsys, *command, *options)
            assert code in (0, 2)
            if options and out:
                json.loads(out, parse_constant=lambda text: pytest.fail(text))


def test_reports_that_are_nested_deeply_are_told(
    capsys: pytest.CaptureFixture[str], job: Path
) -> None:
    file = job.parent / "reports" / f"nightly-{IDS[0]}.json"
    deep = "[" * 300 + "]" * 300
    file.write_text(file.read_text().replace('"gate": [', f'"gate": [{{"outcome": {deep}}}, ', 1))
    for options in ([], ["--json"]):
        code, _, err = run(capsys, "show", job, IDS[0], *options)
        assert (code, "nested too deeply" in " ".join(err.split())) == (2, True)
        assert run(capsys, "runs", job, *options)[0] == 0


def test_a_replay_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = Replay(
        job="nightly",
        run_id=IDS[0],
        key={"id": "[1]"},
        verdict="different",
        is_equal=False,
        sentence="score is 2 and was 1",
        published={"score": 1.0},
        predicted={"score": 2.0},
        tolerance=1e-4,
        digest="4f1a9b3c" * 8,
        notes=["other versions: torch 1 then, 2 here"],
    )
    history.replayed(found, as_json=False)
    out = capsys.readouterr().out
    for word in (
        "id=[1]",
        "different: score is 2 and was 1",
        "score=1.0",
        "0.0001",
        "torch 1 then",
    ):
        assert word in out
    history.replayed(found, as_json=True)
    assert json.loads(capsys.readouterr().out)["verdict"] == "different"


@pytest.mark.processes
def test_a_list_of_runs_starts_no_java(job: Path) -> None:
    code = (
        "import sys\nfrom spark_infer.cli.main import main\nfrom pyspark import SparkContext\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n"
        "    print(SparkContext._gateway is None and SparkContext._jvm is None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "runs", str(job)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "True"
    assert done.returncode == 0
