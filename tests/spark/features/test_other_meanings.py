"""Features that a table's name or a setting of the parser would give another meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import BundleError, ConfigError, SignatureError


class Same(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


def save(path: Path, feature: str) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["f"])], outputs=[si.Output("score")]
    )
    return si.save_bundle(path, Same(), signature=signature, features={"f": feature})


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    return spark.sql("SELECT id, 1D AS a, named_struct('a', 100D, 'b', 200D) AS st FROM range(2)")


def scores(df: DataFrame) -> set[float]:
    return {row.score for row in df.collect()}


@pytest.mark.parametrize("keep", [None, ["id"]])
def test_a_field_is_no_column_of_a_table_with_its_columns_name(
    rows: DataFrame, bundles: Path, keep: Any
) -> None:
    bundle = save(bundles, "st.a")
    assert scores(si.predict(rows, bundle, keep=keep)) == {100.0}
    for alias in ("st", "ST"):
        with pytest.raises(SignatureError, match=r"and a column of the table or alias .*st\['a'\]"):
            si.predict(rows.alias(alias), bundle, keep=keep)
    assert scores(si.predict(rows.alias("other"), bundle, keep=keep)) == {100.0}
    by_key = save(bundles.with_name("key"), "st['a']")
    assert scores(si.predict(rows.alias("st"), by_key, keep=keep)) == {100.0}
    field = save(bundles.with_name("field"), "st.b")
    assert scores(si.predict(rows.alias("st"), field, keep=keep)) == {200.0}
    with pytest.raises(BundleError, match="or a column of a table"):
        si.predict_udf(rows.sparkSession, bundle)()
    udf = si.predict_udf(rows.sparkSession, by_key)
    assert {row[0] for row in rows.alias("st").select(udf()).collect()} == {100.0}


def test_a_database_and_a_table_stand_before_a_column(spark: SparkSession, bundles: Path) -> None:
    spark.sql("CREATE DATABASE qualified")
    try:
        spark.sql(
            "CREATE TABLE qualified.t USING parquet AS SELECT 1D AS a, "
            "named_struct('t', named_struct('a', 5D)) AS qualified"
        )
        bundle = save(bundles, "qualified.t.a")
        with pytest.raises(SignatureError, match="a column of the table or alias"):
            si.predict(spark.table("qualified.t"), bundle)
    finally:
        spark.sql("DROP DATABASE qualified CASCADE")


@pytest.mark.parametrize(
    ("setting", "feature", "fine"),
    [
        ("spark.sql.ansi.doubleQuotedIdentifiers", 'IF("b" = w, 1D, 2D)', "IF('b' = w, 1D, 2D)"),
        ("spark.sql.parser.escapedStringLiterals", r"length('\n')", "length('n')"),
        ("spark.sql.legacy.consecutiveStringLiterals.enabled", "length('a''b')", "length('ab')"),
        ("spark.sql.legacy.exponentLiteralAsDecimal.enabled", "1e0 + id", "1.0D + id"),
    ],
)
def test_a_setting_by_which_a_feature_means_something_else_is_refused(
    spark: SparkSession, bundles: Path, setting: str, feature: str, fine: str
) -> None:
    session = spark.newSession()
    session.conf.set(setting, "true")
    rows = session.sql("SELECT id, string(id) AS w FROM range(1)")
    bundle = save(bundles, f"CAST({feature} AS DOUBLE)")
    for ask in (lambda: si.predict(rows, bundle), lambda: si.predict_udf(session, bundle)()):
        with pytest.raises(ConfigError, match=f"{setting} gives them another meaning; set it to f"):
            ask()
    si.predict(rows, save(bundles.with_name("fine"), f"CAST({fine} AS DOUBLE)"))
    other = spark.sql("SELECT id, string(id) AS w FROM range(1)")
    si.predict(other, bundle)


@pytest.mark.parametrize("call", ["format_string('%tH', 1L)", "printf('%h', array(1))"])
def test_javas_formatter_is_no_feature(bundles: Path, call: str) -> None:
    with pytest.raises(SignatureError, match="is not one that a bundle may call"):
        save(bundles, f"length({call})")
