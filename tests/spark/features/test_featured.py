"""A bundle's features are read by its model, and take no column's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError, SignatureError


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


def save(path: Path, columns: list[str], features: dict[str, str]) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=columns)], outputs=[si.Output("score")]
    )
    return si.save_bundle(path, Sum(), signature=signature, features=features)


def spoken(df: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in df.drop("rejected_reason").orderBy("score").collect()]


@pytest.fixture
def table(spark: SparkSession) -> DataFrame:
    return spark.sql("SELECT * FROM VALUES (1, 1000D, 1D), (2, 2000D, 2D) AS t(id, pay, a)")


def test_the_model_reads_the_feature_and_the_result_has_the_column(
    table: DataFrame, bundles: Path
) -> None:
    bundle = save(bundles, ["PAY", "Id"], {"PAY": "pay * 2", "Id": "id + 10"})
    wanted = [
        {"id": 1, "pay": 1000.0, "a": 1.0, "score": 2011.0},
        {"id": 2, "pay": 2000.0, "a": 2.0, "score": 4012.0},
    ]
    assert spoken(si.predict(table, bundle)) == wanted
    assert spoken(si.predict(table, bundle, keep=["id", "pay", "a"])) == wanted
    (score,) = table.where("id = 1").select(si.predict_udf(table.sparkSession, bundle)()).first()
    assert score == 2011.0


def test_names_differ_as_the_session_says(table: DataFrame, bundles: Path) -> None:
    bundle = save(bundles, ["a", "A"], {"A": "a * 100"})
    own = table.sparkSession.newSession()
    own.conf.set("spark.sql.caseSensitive", "true")
    rows = own.sql("SELECT 1 AS id, 3D AS a")
    for keep in (None, ["id", "a"]):
        assert spoken(si.predict(rows, bundle, keep=keep)) == [{"id": 1, "a": 3.0, "score": 303.0}]
    assert spoken(si.predict(rows, bundle, keep=["A"])) == [{"A": 300.0, "score": 303.0}]
    assert rows.select(si.predict_udf(own, bundle)()).first()[0] == 303.0
    with pytest.raises(SignatureError, match="one name in the Spark session"):
        si.predict(table, bundle)


def test_a_feature_is_kept_where_no_column_has_its_name(table: DataFrame, bundles: Path) -> None:
    bundle = save(bundles, ["is_rich", "pay"], {"is_rich": "CAST(pay > 1500 AS INT)", "pay": "0"})
    found = spoken(si.predict(table, bundle, keep=["Is_Rich", "pay"]))
    assert found == [
        {"Is_Rich": 0, "pay": 1000.0, "score": 0.0},
        {"Is_Rich": 1, "pay": 2000.0, "score": 1.0},
    ]
    assert si.predict(table, bundle).columns == ["id", "pay", "a", "score", "rejected_reason"]
    with pytest.raises(ConfigError, match="keep: column 'is_rch' is missing"):
        si.predict(table, bundle, keep=["is_rch"])


def test_a_feature_is_read_where_columns_of_its_name_repeat(
    table: DataFrame, bundles: Path
) -> None:
    twice = table.selectExpr("id", "pay", "a", "a + 1 AS a")
    bundle = save(bundles, ["a"], {"a": "pay / 1000"})
    assert [row["score"] for row in spoken(si.predict(twice, bundle, keep=["id"]))] == [1.0, 2.0]
    assert si.predict(twice, bundle).columns[:4] == ["id", "pay", "a", "a"]
    with pytest.raises(ConfigError, match="keep: column 'a' is there 2 times"):
        si.predict(twice, bundle, keep=["a"])
