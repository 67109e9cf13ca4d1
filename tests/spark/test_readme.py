"""The README's recipes, executed in the order in which they stand."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

import spark_infer as si
from spark_infer.cli.main import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
RECIPE = re.compile(r"^## (?P<title>.+?)$(?P<text>.*?)(?=^## |\Z)", re.M | re.S)
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)


def blocks(title: str) -> list[tuple[str, str]]:
    """Return the language and text of each fenced block below a heading."""
    (text,) = (m["text"] for m in RECIPE.finditer(README) if m["title"] == title)
    return [(m["language"], m["code"]) for m in BLOCK.finditer(text)]


@pytest.fixture
def names(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the first recipe defines, in an empty directory with a table of transactions."""
    monkeypatch.chdir(tmp_path)
    spark.sql("DROP TABLE IF EXISTS transactions")
    spark.sql("DROP TABLE IF EXISTS predictions")
    spark.sql(
        "CREATE TABLE transactions USING parquet AS SELECT id AS tx_id, "
        "CAST(IF(id = 3, NULL, id * 1.5) AS DOUBLE) AS amount, "
        "TIMESTAMP'2018-08-08 03:00:00' + make_interval(0, 0, 0, 0, id) AS tx_datetime, "
        "IF(id < 5, DATE'2018-08-08', DATE'2018-08-09') AS tx_date FROM range(10)"
    )
    names: dict[str, Any] = {"spark": spark}
    for _, code in blocks("Pack a model"):
        exec(code, names)
    return names


def test_pack_a_model(names: dict[str, Any]) -> None:
    assert si.Bundle.load("bundles/fraud").digest == names["bundle"].digest


def test_dataframe(names: dict[str, Any]) -> None:
    for _, code in blocks("DataFrame"):
        exec(code, names)
    scored = {row["tx_id"]: row for row in names["scored"].collect()}
    assert len(scored) == 10
    assert scored[3]["rejected_reason"] == "column 'amount' is null"
    for row in names["wide"].collect():
        assert row["fraud_score"] == scored[row["tx_id"]]["fraud_score"]


def test_sql(names: dict[str, Any]) -> None:
    (_, register), (language, query) = blocks("SQL")
    exec(register, names)
    assert language == "sql"
    rows = names["spark"].sql(query).collect()
    assert sorted(row["tx_id"] for row in rows) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_job_file_and_command(names: dict[str, Any], tmp_path: Path) -> None:
    (_, job), (_, command) = blocks("Job file")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "nightly.yaml").write_text(job)
    program, *arguments = command.split()
    assert program == "spark-infer"
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "5 in, 5 out, 1 rejected" in done.output
    assert names["spark"].table("predictions").count() == 5


def test_batches_and_bad_rows(names: dict[str, Any]) -> None:
    for title in ("DataFrame", "Batches and bad rows"):
        for _, code in blocks(title):
            exec(code, names)
    scored = {row["tx_id"]: row for row in names["scored"].collect()}
    assert [row for row in scored if scored[row]["fraud_score"] is None] == [3]
    for row in names["wide"].where("tx_id != 3").collect():
        score = scored[row["tx_id"]]["fraud_score"]
        assert score == pytest.approx(row["fraud_score"], rel=0.02, abs=0.02)


def test_airflow_calls_the_command_of_the_job_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    package = "airflow.providers.apache.spark.operators.spark_submit"
    module = types.ModuleType(package)
    module.SparkSubmitOperator = lambda **arguments: given.update(arguments)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package, module)
    ((_, code),) = blocks("Airflow")
    exec(code, {})
    (_, command) = blocks("Job file")[1]
    words = ["spark-infer", "score", *given["application_args"]]
    assert " ".join(words).replace("{{ ds }}", "2018-08-08") == command.strip()
    assert (Path(__file__).parents[2] / given["application"]).is_file()


def test_without_pyspark(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    ((_, code),) = [block for block in blocks("What it runs on") if block[0] == "python"]
    exec(code, names)
    assert "column 'amount' is null" in capsys.readouterr().out
