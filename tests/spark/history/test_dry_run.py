"""A dry run does all but publish: table, folder, gate's memory and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import spark_infer as si
from spark_infer.cli.main import exit_code
from spark_infer.errors import (
    ConfigError,
    GateError,
    SparkInferError,
    TooManyRejects,
    WarehouseError,
)
from spark_infer.report import RunReport

pytestmark = pytest.mark.one_spark

NEVER = {"check": "range", "column": "score", "max": 0, "action": "stop"}
MODES = ["overwrite", "append"]


def dry(job: Any, **changes: Any) -> RunReport:
    return job.load(**changes).run(job.spark, dry_run=True)


def files(job: Any) -> dict[str, bytes]:
    """All that lies where the table does, or would."""
    place = job.location()
    found = [*place.rglob("*"), *place.parent.glob("*scores*/**/*")]
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def written(job: Any) -> dict[str, Any]:
    file = sorted((job.folder / "reports").glob("*Z-*.json"))[-1]
    return json.loads(file.read_text())


@pytest.mark.parametrize("mode", MODES)
def test_of_a_first_run_nothing_is_left(job: Any, mode: str) -> None:
    report = dry(job, target={"mode": mode})
    assert (report.status, report.dry_run) == ("dry-run", True)
    assert (report.rows_in, report.rows_out, report.rows_rejected) == (2, 0, 0)
    assert "write" not in report.seconds
    assert not job.spark.catalog.tableExists("store.scores")
    assert files(job) == {}
    assert [path.name for path in job.location().parent.iterdir()] == ["tx"]
    assert written(job)["status"] == "dry-run"


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("mode", MODES)
def test_a_table_stays_as_it_is(job: Any, mode: str) -> None:
    target = {"mode": mode}
    job.run({"date": "2018-08-09"}, target=target)
    before, scores = files(job), job.scores()
    report = dry(job, target=target)
    assert report.rows_in == 2
    assert (files(job), job.scores()) == (before, scores)
    assert job.run(target=target).rows_out == 2
    assert job.scores() == [(1, 1.0), (2, 2.0), *scores]


@pytest.mark.nightly
def test_a_table_that_is_written_by_sql_stays_as_it_is(job: Any, by_sql: None) -> None:
    job.run({"date": "2018-08-09"})
    before = files(job)
    report = dry(job)
    assert report.writer == "jvm: the table is written by SQL"
    assert files(job) == before


def test_the_page_and_the_commands_say_so(job: Any) -> None:
    report = dry(job)
    file = job.folder / "job.yaml"
    assert report.commands["score"] == f"spark-infer score {file} --set date=2018-08-08"
    assert report.commands["again"] == f"{report.commands['score']} --dry-run"
    made = Path(str(report.page_path(job.folder / "reports"))).read_text()
    assert "<h1>Dry run</h1>" in made
    assert (
        "2 rows were scored, checked and discarded. store.scores is as it was; a run would have "
        "published them." in made
    )
    assert f"<pre>{report.commands['score']}</pre>" in made


def test_the_gate_is_run_and_keeps_nothing(job: Any) -> None:
    with pytest.raises(GateError, match="the gate would stop this run: range of score is") as found:
        dry(job, gate=[NEVER])
    assert exit_code(found.value) == 3
    report = written(job)
    assert (report["status"], report["dry_run"], report["step"]) == ("stopped", True, "gate")
    assert {"publish", "drop"}.isdisjoint(report["commands"])
    assert files(job) == {}
    made = (job.folder / "reports" / f"target-{report['run_id']}.html").read_text()
    assert "<h1>Dry run: stopped by the gate</h1>" in made
    assert "Nothing of a dry run is kept." in made
    with pytest.raises(WarehouseError, match="kept of run"):
        si.ScoringJob.of_kept(job.folder / "job.yaml").publish(report["run_id"], job.spark)


@pytest.mark.nightly
def test_later_runs_are_not_compared_with_it(job: Any) -> None:
    gate = [{"check": "row_ratio", "min": 0.9, "action": "stop"}]
    dry(job, gate=gate)
    assert list((job.folder / "reports").glob("*.profiles.json")) == []
    (result,) = job.run(gate=gate).gate
    assert result["outcome"] == "undefined"
    job.transactions("1 2018-08-08")
    with pytest.raises(GateError):
        dry(job, gate=gate)
    (result,) = dry(job, gate=[{**gate[0], "min": 0.1}]).gate
    assert result["value"] == 0.5


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"features": {"a": "CAST(NULL AS DOUBLE)"}}, 4),
        ({"source": {"table": "store.none"}}, 2),
        ({"key": ["region"], "target": {"keep": ["day", "id"]}}, 2),
        ({"gate": [{"check": "rows", "min": 3, "action": "stop"}]}, 3),
    ],
)
def test_exit_codes_are_those_of_a_run(job: Any, changes: dict[str, Any], code: int) -> None:
    for run in (dry, type(job).run):
        with pytest.raises(SparkInferError) as found:
            run(job, **changes)
        assert exit_code(found.value) == code
        assert not job.spark.catalog.tableExists("store.scores")
    if code == 4:
        assert isinstance(found.value, TooManyRejects)


def test_what_it_raises_says_that_nothing_was_written(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ConfigError("no room")

    loaded = job.load()
    monkeypatch.setattr(RunReport, "write", full)
    with pytest.raises(ConfigError, match="the target is as it was, and not its report"):
        loaded.run(job.spark, dry_run=True)


@pytest.mark.nightly
def test_a_killed_run_is_left_to_the_next_real_one(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spark_infer.warehouse.sinks.files import file_table

    job.run({"date": "2018-08-09"})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(file_table, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            job.run()
    before = files(job)
    assert dry(job).rows_in == 2
    assert files(job) == before
    job.run()
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]
