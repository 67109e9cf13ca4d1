"""Expressions are read by the session that they are meant for, not by the thread's active one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import SignatureError
from spark_infer.spark.driver.session import active, jvm_sessions

ANSI = "spark.sql.ansi.enabled"
ESCAPED = "spark.sql.parser.escapedStringLiterals"


class Same(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


@pytest.fixture
def bundle(bundles: Path) -> si.Bundle:
    """A feature that ANSI's rules end with an error, and Spark's old ones with null."""
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=[si.Column("a", nulls=-1.0)])],
        outputs=[si.Output("score")],
    )
    features = {"a": "CAST(CAST(text AS INT) AS DOUBLE)"}
    return si.save_bundle(bundles, Same(), signature=signature, features=features)


def another(spark: SparkSession, **settings: str) -> SparkSession:
    own = spark.newSession()
    for key, value in settings.items():
        own.conf.set(key, value)
    return own


@pytest.mark.parametrize("path", ["keep", "joined", "arrow or pandas", "pandas"])
@pytest.mark.parametrize("is_ansi", [True, False], ids=["ansi", "legacy"])
def test_features_follow_the_rules_of_their_session(
    spark: SparkSession, bundle: si.Bundle, path: str, is_ansi: bool
) -> None:
    own = another(spark, **{ANSI: str(is_ansi).lower()})
    other = another(spark, **{ANSI: str(not is_ansi).lower()})
    with active(other):
        rows = own.sql("SELECT * FROM VALUES (1, '7'), (2, 'seven') AS t(id, text)")
        if path == "keep":
            predicted = si.predict(rows, bundle, keep=["id"])
        elif path == "joined":
            predicted = si.predict(rows, bundle)
        else:
            kind: Any = path if path == "pandas" else "auto"
            predicted = rows.select("id", si.predict_udf(own, bundle, kind=kind)())
        if is_ansi:
            with pytest.raises(Exception, match="CAST_INVALID_INPUT"):
                predicted.collect()
        else:
            assert [row.score for row in predicted.orderBy("id").collect()] == [7.0, -1.0]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(("escaped", "score"), [("true", 4.0), ("false", 3.0)])
def test_a_jobs_features_follow_its_own_settings(
    spark: SparkSession, bundles: Path, tmp_path: Path, escaped: str, score: float
) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    si.save_bundle(bundles, Same(), signature=signature)
    spark.sql("SELECT 1 AS id").write.parquet(str(tmp_path / "rows"))
    job = {
        "name": "escaped",
        "source": {"path": str(tmp_path / "rows"), "filter": r"'a\tb' RLIKE 'a.*b'"},
        "features": {"a": r"CAST(length('a\tb') AS DOUBLE)"},
        "key": ["id"],
        "bundle": {"path": str(bundles)},
        "target": {"table": "escaped_scores", "mode": "append"},
        "report": {"path": str(tmp_path / "reports")},
        "spark": {ESCAPED: escaped},
    }
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(job))
    for opposite in ("true", "false"):
        with active(another(spark, **{ESCAPED: opposite})):
            si.ScoringJob.load(file).run(spark)
        (row,) = spark.table("escaped_scores").collect()
        spark.sql("DROP TABLE escaped_scores")
        assert row.score == score


@pytest.mark.parametrize("column", ["text", "other"], ids=["done", "refused"])
def test_the_active_session_is_given_back(
    spark: SparkSession, bundle: si.Bundle, column: str
) -> None:
    rows = spark.sql(f"SELECT 'x' AS {column}")
    other = another(spark)
    before = jvm_sessions(spark).getActiveSession()
    with active(other):
        with suppress(SignatureError):
            si.predict(rows, bundle)
        assert jvm_sessions(spark).getActiveSession().get().equals(other._jsparkSession)
    assert jvm_sessions(spark).getActiveSession().equals(before)
