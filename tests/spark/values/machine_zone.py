"""Run by test_time_zones.py in a process of its own, whose TZ is another machine's.

Prints, as JSON, which rows each parameter chooses in each session zone.
"""

from __future__ import annotations

import json
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import torch
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import ConfigError
from spark_infer.spark.driver.session import own_session
from spark_infer.warehouse.config import ParameterConfig
from spark_infer.warehouse.parameters.binding import BINDING, with_session_zone
from spark_infer.warehouse.parameters.typed import bind_parameters
from spark_infer.warehouse.reading.source import where


def main(work: Path, cases: Path) -> None:
    """Answer all cases in one session."""
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "OFF")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(work / "warehouse"))
        .getOrCreate()
    )
    asked = json.loads(cases.read_text())
    answers = {"job": _job(spark, work), "chosen": _chosen(spark, asked)}
    (work / "answers.json").write_text(json.dumps(answers))
    spark.stop()


def _chosen(spark: SparkSession, cases: list[dict[str, Any]]) -> list[list[int] | str]:
    """Return the numbers of the rows that each case's condition chooses, or what was said of it.

    All conditions of one session's settings are asked in one query.
    """
    answers: list[list[int] | str] = [[] for _ in cases]
    by_settings: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        settings = {"spark.sql.session.timeZone": case["zone"], **case["conf"], **BINDING}
        by_settings.setdefault(json.dumps(settings), []).append(number)
    for settings, numbers in by_settings.items():
        session = own_session(spark, json.loads(settings))
        queries = []
        for number in numbers:
            try:
                rows = _rows(session, cases[number])
            except ConfigError as error:
                answers[number] = str(error)
            else:
                queries.append(rows.select(F.lit(number).alias("number"), "id"))
        for row in reduce(DataFrame.union, queries).sort("id").collect():
            answers[row.number].append(row.id)
    return answers


def _rows(spark: SparkSession, case: dict[str, Any]) -> DataFrame:
    """Return the rows that a condition with one parameter chooses."""
    declared = {"p": ParameterConfig.model_validate({"type": case["kind"]})}
    values = with_session_zone(spark, declared, bind_parameters(declared, {"p": case["given"]}))
    return where(spark.sql(case["rows"]), case["condition"], values, key="filter")


def _job(spark: SparkSession, work: Path) -> list[object]:
    """Score the rows from five o'clock on, and return what the report and the table say."""
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    si.save_bundle(work / "bundle", torch.nn.Linear(1, 1), signature=signature)
    spark.sql(
        "SELECT id, double(id) AS a, timestamp_seconds(1533697200 + id * 3600) AS ts FROM range(8)"
    ).write.parquet(str(work / "rows"))
    job = {
        "name": "zones",
        "parameters": {"t": {"type": "timestamp"}},
        "source": {"path": str(work / "rows"), "filter": "ts >= :t"},
        "key": ["id"],
        "bundle": {"path": str(work / "bundle")},
        "target": {"table": "scores", "mode": "append", "keep": ["ts"]},
        "report": {"path": str(work / "reports")},
    }
    (work / "job.yaml").write_text(yaml.safe_dump(job))
    report = si.ScoringJob.load(work / "job.yaml", t="2018-08-08T05:00:00").run(spark)
    first = spark.sql("SELECT string(min(ts)) AS first FROM scores").first()
    assert first is not None
    return [report.parameters["t"], report.rows_out, first["first"]]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
