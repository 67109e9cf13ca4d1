"""Runs are listed by the names of their reports, and no more reports are opened than shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.warehouse.history import Runs
from spark_infer.warehouse.history import runs as module
from tests.s3 import Bucket
from tests.unit.report.reports import full_report


def run_id(number: int) -> str:
    return f"2018{1 + number // 28:02}{1 + number % 28:02}T040000.000000Z-{number:08x}"


def write(folder: Path, number: int, job: str = "nightly", **changes: Any) -> str:
    made = run_id(number)
    full_report(job=job, run_id=made, drift=[], **changes).write(folder, html=False)
    return made


def test_the_newest_come_first_and_no_others_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [write(tmp_path, number) for number in (3, 0, 200, 7, 8)]
    opened: list[str] = []
    read = module.read_text

    def counted(directory: str, name: str) -> str | None:
        opened.append(name)
        return read(directory, name)

    monkeypatch.setattr(module, "read_text", counted)
    found = Runs("nightly", str(tmp_path)).newest(3)
    newest = sorted(ids, reverse=True)[:3]
    assert [report.run_id for report in found.runs] == newest
    assert opened == [f"nightly-{made}.json" for made in newest]
    assert (found.num_runs, found.unreadable) == (5, {})
    brief = found.to_json()["runs"][0]
    assert brief["gate"] == {"warned": 1, "passed": 4}
    assert (brief["rows_in"], brief["seconds"]) == (1_204_331, 221.0)


@pytest.mark.parametrize("job", ["nightly", "a.b", "a(b", "nightly-2", "ni ght"])
def test_files_of_others_are_none_of_the_jobs(tmp_path: Path, job: str) -> None:
    mine = write(tmp_path, 1, job)
    write(tmp_path, 2, f"{job}-{run_id(3)}")
    write(tmp_path, 4, f"{job}-x")
    write(tmp_path, 5, f"x{job}")
    write(tmp_path, 6, "axb")
    (tmp_path / f"{job}.0a1b2c3d.profiles.json").write_text("{}")
    (tmp_path / f"{job}-{run_id(9)}.html").write_text("")
    (tmp_path / f".{job}-{run_id(9)}.json").write_text("")
    assert Runs(job, str(tmp_path)).ids() == [mine]


def test_no_directory_is_no_runs(tmp_path: Path) -> None:
    runs = Runs("nightly", str(tmp_path / "none"))
    assert runs.newest(3).to_json()["runs"] == []
    with pytest.raises(ConfigError, match=r"job 'nightly' has no report in report.path .* yet"):
        runs.find("last")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[1]", "dictionary"),
        ("[" * 100_000, "nested too deeply"),
        ('{"job": "nightly"}', "run_id: Field required"),
        ("status", "status: Input should be"),
        ("rows_in", "rows_in: Input should be a valid integer"),
        ("job", "it is of run .* of job 'other'"),
        ("run_id", "it is of run 7"),
        (b"\xff\xfe\x00", "Expecting value"),
    ],
)
def test_a_damaged_report_is_named_and_the_others_are_there(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    good, bad = write(tmp_path, 1), write(tmp_path, 2)
    file = tmp_path / f"nightly-{bad}.json"
    wrong = {"status": "lost", "rows_in": "many", "job": "other", "run_id": "7"}
    if isinstance(text, str) and text in wrong:
        text = json.dumps(json.loads(file.read_text()) | {text: wrong[text]})
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    runs = Runs("nightly", str(tmp_path))
    found = runs.newest(5)
    assert [report.run_id for report in found.runs] == [good]
    assert [*found.unreadable] == [file.name]
    with pytest.raises(ConfigError, match=rf"{file.name} is no report of this run \(.*{said}"):
        runs.find(bad)
    assert [report.run_id for report in runs.readable()] == [good]


def test_what_a_later_version_says_is_passed_over(tmp_path: Path) -> None:
    made = write(tmp_path, 1)
    file = tmp_path / f"nightly-{made}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"later": [1]}))
    assert Runs("nightly", str(tmp_path)).find(made).rows_in == 1_204_331


def test_a_report_of_an_earlier_version_lacks_keys(tmp_path: Path) -> None:
    made = write(tmp_path, 1)
    file = tmp_path / f"nightly-{made}.json"
    data = json.loads(file.read_text())
    del data["dry_run"], data["snapshot"], data["commands"]
    file.write_text(json.dumps(data))
    found = Runs("nightly", str(tmp_path)).find(made)
    assert (found.dry_run, list(found.snapshot)) == (False, [])


def test_a_run_is_found_or_it_is_said_where_it_may_be(tmp_path: Path) -> None:
    first, last = write(tmp_path, 1), write(tmp_path, 2)
    other = write(tmp_path, 3, "hourly")
    runs = Runs("nightly", str(tmp_path))
    assert runs.find(first).run_id == first
    assert runs.find("last").run_id == last
    with pytest.raises(ConfigError) as caught:
        runs.find(other)
    assert str(caught.value) == (
        f"job 'nightly' has no report of run {other} in report.path {tmp_path}: it is one of job "
        f"'hourly'; the newest is {last}; spark-infer runs JOB lists them"
    )
    with pytest.raises(ConfigError, match=f"no report of run {run_id(9)} .*: the newest is {last}"):
        runs.find(run_id(9))
    for wrong in ("", "x", "../nightly", f"{first}\n", first[:-1], f"../{first}"):
        with pytest.raises(ConfigError, match="is no run; spark-infer runs JOB lists them"):
            runs.find(wrong)


@pytest.mark.parametrize("number", [0, -1, True, "3"])
def test_how_many_is_a_number(tmp_path: Path, number: Any) -> None:
    with pytest.raises(ConfigError, match="how many runs to show must be 1 or more"):
        Runs("nightly", str(tmp_path)).newest(number)


def test_runs_that_count_are_those_that_were_published(tmp_path: Path) -> None:
    kept = [write(tmp_path, 1), write(tmp_path, 2, status="published")]
    for number, status in enumerate(("failed", "dry-run", "stopped", "dropped"), 3):
        write(tmp_path, number, status=status)
    write(tmp_path, 7)
    runs = Runs("nightly", str(tmp_path))
    assert [r.run_id for r in runs.done(9, among=99)] == [run_id(7), *reversed(kept)]
    assert [r.run_id for r in runs.done(1, among=99)] == [run_id(7)]
    assert [r.run_id for r in runs.done(9, among=5)] == [run_id(7)]


def test_reports_behind_a_uri_are_listed(bucket: Bucket, tmp_path: Path) -> None:
    directory = bucket.uri("reports")
    ids = [write(directory, number) for number in (1, 3, 2)]  # type: ignore[arg-type]
    found = Runs("nightly", directory).newest(2)
    assert [report.run_id for report in found.runs] == [ids[1], ids[2]]
    assert found.num_runs == 3
