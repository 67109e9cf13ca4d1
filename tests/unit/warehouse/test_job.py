"""What a job says of itself and of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.warehouse import ScoringJob
from spark_infer.warehouse.config import SourceConfig
from tests.unit.report.reports import RUN_ID

JOB = """
name: nightly
parameters: {shop: {type: string}}
source: {table: t, filter: shop = :shop}
key: [id]
bundle: {path: b}
target: {table: p, mode: append}
"""


@pytest.fixture
def job(tmp_path: Path) -> ScoringJob:
    file = tmp_path / "a job.yaml"
    file.write_text(JOB)
    settings = {"batch.device": "cpu", "spark.hidden": "hush", "shop": "it's; rm"}
    return ScoringJob.load(file, settings=settings)


def test_commands_can_be_typed_as_they_are(job: ScoringJob) -> None:
    commands = job.commands(RUN_ID, "failed", {"shop": "it's; rm"})
    quoted = "--set 'shop=it'\"'\"'s; rm' --set batch.device=cpu"
    assert commands == {
        "again": f"spark-infer score '{job.path}' {quoted}",
        "recover": f"spark-infer recover '{job.path}' {quoted}",
    }


def test_a_run_that_was_stopped_has_two_more(job: ScoringJob) -> None:
    commands = job.commands(RUN_ID, "stopped", {"shop": "x"})
    for verb in ("publish", "drop"):
        told = f"spark-infer {verb} '{job.path}' {RUN_ID} --set batch.device=cpu"
        assert commands[verb] == told
    assert "hush" not in str(commands)


def test_a_secret_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(JOB.replace("table: t,", "path: rows,"))
    settings = {"source.options.proxyPassword": "hush", "spark.x.token": "hush", "shop": "x"}
    job = ScoringJob.load(file, settings=settings)
    commands = job.commands(RUN_ID, "stopped", {"shop": "x"})
    assert "hush" not in str(commands)
    assert commands["again"].endswith("--set shop=x --set source.options.proxyPassword=...")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"table": "bank.tx"}, "bank.tx"),
        ({"table": "bank.tx", "filter": "day = :date"}, "bank.tx where day = :date"),
        ({"path": "rows", "format": "csv"}, "csv files in rows"),
    ],
)
def test_a_source_is_told(source: dict[str, Any], text: str) -> None:
    assert SourceConfig.model_validate(source).described == text
