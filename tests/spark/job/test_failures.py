"""A run that fails: one sentence, the class of its cause, a report, and a target as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.bundle.files.digest import seal
from spark_infer.bundle.files.examples import EXAMPLES_FILE
from spark_infer.errors import (
    BundleError,
    ConfigError,
    PredictionError,
    SparkInferError,
    TooManyRejects,
    WarehouseError,
)
from spark_infer.report import run as report_module

pytestmark = pytest.mark.one_spark

ROWS = 40


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, linear: si.Bundle) -> Any:
    """Makes a job over files; keyword arguments replace its keys."""
    rows = spark.range(0, ROWS, 1, 2).selectExpr(
        "id", "CAST(id AS double) a", "CAST(id AS int) b", "concat('x', id) word"
    )
    rows.write.parquet(str(tmp_path / "rows"))
    spark.sql("CREATE DATABASE broken")

    def make(**changes: Any) -> si.ScoringJob:
        content = {
            "name": "nightly",
            "source": {"path": str(tmp_path / "rows")},
            "key": ["id"],
            "bundle": {"path": str(linear.path)},
            "target": {"table": "broken.scores", "mode": "append"},
            "report": {"path": str(tmp_path / "reports")},
            **changes,
        }
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(content))
        return si.ScoringJob.load(path)

    yield make
    spark.sql("DROP DATABASE broken CASCADE")


@pytest.fixture
def failed(spark: SparkSession, tmp_path: Path, job: Any) -> Any:
    """Runs a job that must fail; returns the error and its report."""

    def run(kind: type[SparkInferError], **changes: Any) -> tuple[str, dict[str, Any]]:
        with pytest.raises(kind) as caught:
            job(**changes).run(spark)
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        assert not caught.value.transient
        assert not spark.catalog.tableExists("broken.scores")
        (path,) = (tmp_path / "reports").glob("*.json")
        report = json.loads(path.read_text())
        assert report["reason"] == str(caught.value)
        return str(caught.value), report

    return run


Failed = Callable[..., tuple[str, dict[str, Any]]]


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"source": {"filter": "CAST(word AS int) > 3"}}, "score"),
        ({"rows": "1 DIV (b - b) > 3"}, "score"),
        ({"features": {"a": "a + array(1.0D)[b + 5]"}}, "score"),
    ],
)
def test_values_that_spark_cannot_compute_are_one_sentence(
    failed: Failed, tmp_path: Path, changes: dict[str, Any], step: str
) -> None:
    source = {"path": str(tmp_path / "rows"), **changes.pop("source", {})}
    settings = {"spark.sql.ansi.enabled": "true"}
    message, report = failed(WarehouseError, source=source, spark=settings, **changes)
    assert report["step"] == step
    assert "the target is as it was: [" in message
    assert "SQLSTATE" not in message


def test_a_damaged_file_is_named_with_what_is_wrong_with_it(
    failed: Failed, tmp_path: Path, spark: SparkSession
) -> None:
    _, damaged = sorted((tmp_path / "rows").glob("*.parquet"))[:2]
    damaged.write_bytes(damaged.read_bytes()[:200])
    for sums in (tmp_path / "rows").glob(".*.crc"):
        sums.unlink()
    message, report = failed(WarehouseError)
    assert damaged.name in message
    assert "is not a Parquet file" in message
    assert report["rows_in"] is None


def test_the_report_says_what_was_known(failed: Failed) -> None:
    _, report = failed(WarehouseError, features={"b": "IF(id < 3, NULL, b)"}, key=["b", "id"])
    assert (report["status"], report["step"]) == ("failed", "keys")
    assert report["bundle"]["digest"]
    assert report["finished_at"] >= report["started_at"]
    assert {"python", "pyspark", "pyarrow"} <= report["versions"].keys()
    assert list(report["seconds"]) == [
        "bundle",
        "start",
        "source",
        "check",
        "load",
        "score",
        "keys",
    ]


def test_a_run_that_fails_before_the_bundle_is_read_writes_a_report(failed: Failed) -> None:
    _, report = failed(BundleError, bundle={"path": "/nowhere"})
    assert report["step"] == "bundle"
    assert report["bundle"] == {"path": "/nowhere"}
    assert report["spark_application_id"] == ""


def test_too_many_rejects_of_any_kind_stop_the_run(failed: Failed) -> None:
    features = {"a": "IF(id % 5 < 2, NULL, a)"}
    message, report = failed(TooManyRejects, features=features)
    assert message.startswith(
        "16 of 40 rows got no prediction, and at most 5.00% may (16 x column 'a' is null); nothing"
    )
    assert (report["rows_in"], report["rows_rejected"], report["step"]) == (40, 16, "keys")


@pytest.mark.parametrize(("num_bad", "share"), [(2, 0.05), (1, 0.001), (40, 1.0), (0, 0.0)])
def test_rejects_within_the_share_are_written(
    spark: SparkSession, job: Any, num_bad: int, share: float
) -> None:
    features = {"a": f"IF(id < {num_bad}, NULL, a)"}
    report = job(features=features, batch={"max_rejected_share": share}).run(spark)
    assert (report.status, report.reason, report.step) == ("done", "", "")
    assert (report.rows_out, report.rows_rejected) == (ROWS, num_bad)


def test_what_a_step_raises_ends_the_run_there(
    spark: SparkSession, job: Any, tmp_path: Path
) -> None:
    seen = []

    def stop(step: str) -> None:
        seen.append(step)
        if step == "write":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job().run(spark, on_step=stop)
    assert seen == ["bundle", "start", "source", "check", "load", "score", "keys", "write"]
    assert not spark.catalog.tableExists("broken.scores")
    (path,) = (tmp_path / "reports").glob("*.json")
    report = json.loads(path.read_text())
    assert (report["status"], report["step"]) == ("interrupted", "keys")


def test_a_report_that_cannot_be_written_at_the_end_says_that_the_table_is(
    spark: SparkSession, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConfigError("report.path is full", transient=True)

    monkeypatch.setattr(report_module.RunReport, "write", fail)
    with pytest.raises(ConfigError, match="was written, but not its report") as caught:
        job().run(spark)
    assert caught.value.transient
    assert spark.table("broken.scores").count() == ROWS


@pytest.mark.parametrize("on_step", ["x", 5, [], object()])
def test_a_callback_that_cannot_be_called_is_refused(
    spark: SparkSession, job: Any, tmp_path: Path, on_step: Any
) -> None:
    with pytest.raises(ConfigError, match="on_step must be a function of a step's name, got"):
        job().run(spark, on_step)
    assert not (tmp_path / "reports").exists()


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


@pytest.fixture
def saying(tmp_path: Path) -> si.Bundle:
    """A bundle whose author has put words into the failure of rows from the eighth on."""
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    bundle = si.save_bundle(tmp_path / "saying", Sum(), signature=signature)
    place = bundle.artifact_path / "program.json"
    program = json.loads(place.read_text())
    words = "Connection refused\nCaused by: spark_infer.errors.BundleError: forged"
    x = {"node": program["inputs"][0]}
    calls = [
        ("small", "aten.lt.Scalar", [x, 7]),
        ("all", "aten.all.default", [{"node": "small"}]),
        ("said", "aten._assert_async.msg", [{"node": "all"}, words]),
    ]
    program["nodes"] += [
        {"name": name, "operator": operator, "arguments": arguments, "named": {}}
        for name, operator, arguments in calls
    ]
    place.write_text(json.dumps(program))
    (bundle.path / EXAMPLES_FILE).unlink()  # With them the model would be tried first.
    seal(bundle.path)
    return si.Bundle.load(bundle.path)


@pytest.mark.parametrize(
    ("on_error", "kind"), [("fail", PredictionError), ("reject", TooManyRejects)]
)
def test_a_models_words_do_not_pass(
    failed: Failed, saying: si.Bundle, on_error: str, kind: type[SparkInferError]
) -> None:
    # That the error is of the very class, and one line, is seen by what runs it.
    message, _ = failed(kind, bundle={"path": str(saying.path)}, batch={"on_error": on_error})
    assert "Connection refused" in message
