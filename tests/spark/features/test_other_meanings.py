"""Features that a table's name or a setting of the parser would give another meaning."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.bundle.features import FUNCTIONS
from spark_infer.errors import BundleError, ConfigError, SignatureError
from spark_infer.spark.features.settings import check_settings


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


def test_functions_of_a_path_before_sparks_own_are_refused(
    spark: SparkSession, bundles: Path
) -> None:
    if tuple(map(int, spark.version.split(".")[:2])) < (4, 2):
        pytest.skip("SET PATH came with Spark 4.2")
    session = spark.newSession()
    rows = session.sql("SELECT id, 1D - id AS x FROM range(3)")
    bundle = save(bundles, "CAST(abs(x) AS DOUBLE)")
    spark.sql("CREATE FUNCTION default.abs(a DOUBLE) RETURNS DOUBLE RETURN 77D")
    try:
        session.conf.set("spark.sql.path.enabled", "true")
        session.sql("SET PATH = system.builtin, spark_catalog.default, system.session")
        assert scores(si.predict(rows, bundle)) == {0.0, 1.0}
        for first in ("spark_catalog.default, system.builtin", "system.session, system.builtin"):
            session.sql(f"SET PATH = {first}")
            for ask in (partial(si.predict, rows, bundle), si.predict_udf(session, bundle)):
                with pytest.raises(ConfigError, match=r"put system\.builtin first"):
                    ask()
    finally:
        spark.sql("DROP FUNCTION default.abs")


ANSI = "spark.sql.ansi.enabled"
OLD = "spark.sql.legacy."
MEANINGS = [
    (f"{OLD}sizeOfNull", "true", "size(CAST(NULL AS ARRAY<INT>))"),
    (f"{OLD}sizeOfNull", "true", "CARDINALITY (CAST(NULL AS MAP<INT, INT>))"),
    (f"{OLD}negativeIndexInArrayInsert", "true", "array_insert(array(1, 2), -1, 3)"),
    (
        f"{OLD}followThreeValuedLogicInArrayExists",
        "false",
        "exists(array(1, NULL), x -> x > 1)",
    ),
    (f"{OLD}statisticalAggregate", "true", "stddev(1) OVER ()"),
    (f"{OLD}statisticalAggregate", "true", "var_samp(1) OVER ()"),
    (f"{OLD}statisticalAggregate", "true", "skewness(1) OVER ()"),
    (f"{OLD}statisticalAggregate", "true", "corr(1, 2) OVER ()"),
    (f"{OLD}statisticalAggregate", "true", "covar_samp(1, 2) OVER ()"),
    (f"{OLD}lpadRpadAlwaysReturnString", "true", "typeof(lpad(X'01', 2))"),
    (f"{OLD}truncateForEmptyRegexSplit", "true", "split('abcd', '', 2)"),
    (f"{OLD}codingErrorAction", "true", "decode(X'ff', 'UTF-8')"),
    (f"{OLD}javaCharsets", "true", "encode('a', 'KOI8-R')"),
    (f"{OLD}disableMapKeyNormalization", "true", "string(map(CAST('-0.0' AS DOUBLE), 1))"),
    ("spark.sql.mapKeyDedupPolicy", "LAST_WIN", "map(1, 2, 1, 3)"),
    ("spark.sql.mapKeyDedupPolicy", "last_win", "str_to_map('a:1,a:2')"),
    (f"{OLD}timeParserPolicy", "LEGACY", "to_date('2020-2-3', 'yyyy-MM-dd')"),
    (f"{OLD}timeParserPolicy", "legacy", "date_format(DATE'2020-02-03', 'u')"),
    ("spark.sql.timestampType", "TIMESTAMP_NTZ", "typeof(CAST('2020-01-01' AS TIMESTAMP))"),
    ("spark.sql.timestampType", "TIMESTAMP_NTZ", "typeof(TIMESTAMP'2020-01-01 00:00:00')"),
    ("spark.sql.timestampType", "TIMESTAMP_NTZ", "typeof(to_timestamp('2020-01-01'))"),
    *(
        ("spark.sql.timestampType", "TIMESTAMP_NTZ", f"typeof(CAST(NULL AS {kind}))")
        for kind in (
            "ARRAY<TIMESTAMP>",
            "STRUCT<x: TIMESTAMP>",
            "MAP<STRING, TIMESTAMP>",
            "STRUCT<x TIMESTAMP, y INT>",
        )
    ),
    (
        "spark.sql.decimalOperations.allowPrecisionLoss",
        "false",
        "CAST(1 AS DECIMAL(38, 0)) / CAST(3000000 AS DECIMAL(20, 0))",
    ),
    (
        f"{OLD}literal.pickMinimumPrecision",
        "false",
        "CAST(0.000000000037037 AS DECIMAL(38, 18)) * 3 * 1000000000000",
    ),
    *(
        (f"{OLD}decimal.retainFractionDigitsOnTruncate", "true", expression)
        for expression in (
            "coalesce(CAST(1.123456789 AS DECIMAL(38, 20)), CAST(1 AS DECIMAL(38, 0)))",
            "IF(id = 0, CAST(1.1234 AS DECIMAL(38, 20)), CAST(1 AS DECIMAL(38, 0)))",
            "array(CAST(1.1234567 AS DECIMAL(38, 20)), CAST(1 AS DECIMAL(38, 0)))",
        )
    ),
    *(
        (f"{OLD}createEmptyCollectionUsingStringType", "true", expression)
        for expression in (
            "coalesce(array(CAST(0.1234567890123456789 AS DECIMAL(38, 20))), array())",
            "typeof(ARRAY ( ))",
            "typeof(map())",
        )
    ),
    (
        "spark.sql.decimalOperations.allowPrecisionLoss",
        "false",
        "try_divide(CAST(1 AS DECIMAL(38, 0)), CAST(3000000 AS DECIMAL(20, 0)))",
    ),
    *(
        (
            f"{OLD}literal.pickMinimumPrecision",
            "false",
            f"typeof({name}(CAST(9 AS DECIMAL(9, 3)), 1))",
        )
        for name in ("try_add", "try_subtract", "try_multiply", "TRY_DIVIDE", "try_mod")
    ),
    (f"{OLD}allowNegativeScaleOfDecimal", "true", "hash(1E2BD)"),
    (f"{OLD}allowNegativeScaleOfDecimal", "true", "to_json(struct(.5e+3bd))"),
    (f"{OLD}interval.enabled", "true", "typeof(DATE'2020-01-02' - DATE'2020-01-01')"),
    (f"{OLD}fromDayTimeString.enabled", "true", "INTERVAL '5 12:40:30.999' HOUR TO SECOND"),
    (f"{OLD}typeCoercion.datetimeToString.enabled", "true", "DATE'2020-01-02' = '2020-1-2'"),
    (f"{OLD}castComplexTypesToString.enabled", "true", "CAST(array(1, NULL) AS STRING)"),
    (f"{OLD}castComplexTypesToString.enabled", "true", "string(array(1, NULL))"),
    ("spark.sql.function.concatBinaryAsString", "true", "typeof(concat(X'01', X'02'))"),
    ("spark.sql.function.concatBinaryAsString", "true", "typeof(X'01' || X'02')"),
    ("spark.sql.function.eltOutputAsString", "true", "typeof(elt(1, X'01'))"),
    ("spark.sql.jsonGenerator.ignoreNullFields", "false", "to_json(struct(1 AS a, NULL AS b))"),
    ("spark.sql.icu.caseMappings.enabled", "false", "initcap('\u00df')"),
    ("spark.sql.icu.caseMappings.enabled", "false", "upper('\u019b')"),
    ("spark.sql.icu.caseMappings.enabled", "false", "'\u1c89' ILIKE '\u1c8a'"),
    ("spark.sql.chunkBase64String.enabled", "false", "base64(CAST(repeat('a', 99) AS BINARY))"),
]


def told(session: SparkSession, expression: str) -> str:
    """Return a value, or that there is none: a meaning too."""
    try:
        return str(session.sql(f"SELECT {expression} FROM range(1)").collect())
    except Exception as error:
        return type(error).__name__


@pytest.mark.nightly_after(12)
@pytest.mark.parametrize(("setting", "value", "expression"), MEANINGS)
def test_a_setting_that_gives_a_function_another_value_is_refused(
    spark: SparkSession, setting: str, value: str, expression: str
) -> None:
    usual, other = spark.newSession(), spark.newSession()
    old = any(name in setting for name in ("sizeOfNull", "datetimeToString"))
    for session in (usual, other):
        session.conf.set(ANSI, str(not old).lower())
    other.conf.set(setting, value)
    if setting.endswith("sizeOfNull"):
        usual.conf.set(setting, "false")
    if told(usual, expression) == told(other, expression):
        assert spark.version < "4", "the setting makes no difference"
        pytest.skip("this Spark does not know the setting")
    check_settings(usual, {"f": expression})
    with pytest.raises(ConfigError, match=f"feature 'f' has .*{setting} gives them another mean"):
        check_settings(other, {"f": expression})


def test_an_ansi_session_has_the_sizes_that_were_meant(spark: SparkSession, bundles: Path) -> None:
    ansi, old = spark.newSession(), spark.newSession()
    ansi.conf.set(ANSI, "true")
    old.conf.set(ANSI, "false")
    rows = "SELECT CAST(NULL AS ARRAY<INT>) AS items"
    bundle = save(bundles, "coalesce(size(items), 7)")
    assert scores(si.predict(ansi.sql(rows), bundle)) == {7.0}
    for ask in (lambda: si.predict(old.sql(rows), bundle), lambda: si.predict_udf(old, bundle)()):
        with pytest.raises(
            ConfigError,
            match=r"sizeOfNull .* while spark.sql.ansi.enabled is f.*; "
            "set it to false, or use array_size",
        ):
            ask()
    other = save(bundles.with_name("other"), "coalesce(array_size(items), 7)")
    assert scores(si.predict(old.sql(rows), other)) == {7.0}
    old.conf.set(f"{OLD}sizeOfNull", "false")
    assert scores(si.predict(old.sql(rows), bundle)) == {7.0}


def test_a_session_of_spark_4_accepts_every_function(spark: SparkSession) -> None:
    if spark.version < "4":
        pytest.skip("size is another function by the settings of Spark 3.5")
    text = " ".join(f"{name}(a)" for name in sorted(FUNCTIONS))
    check_settings(spark.newSession(), {"f": f"{text} INTERVAL 1 DAY a - b < c CAST(a AS STRING)"})


@pytest.mark.parametrize(
    ("setting", "value", "fine"),
    [
        (f"{OLD}negativeIndexInArrayInsert", "true", "array_append(a, 1)"),
        (f"{OLD}followThreeValuedLogicInArrayExists", "false", "NOT array_contains(exist, 1)"),
        (f"{OLD}statisticalAggregate", "true", "avg(std) OVER ()"),
        (f"{OLD}truncateForEmptyRegexSplit", "true", "split_part(a, '-', 1)"),
        ("spark.sql.timestampType", "TIMESTAMP_NTZ", "hour(timestamp) + hour(to_timestamp_ltz(a))"),
        ("spark.sql.mapKeyDedupPolicy", "EXCEPTION", "map(a, b)"),
        (f"{OLD}timeParserPolicy", "EXCEPTION", "to_date(a, 'yyyy')"),
        (f"{OLD}sizeOfNull", "true", "array_size(a) + size"),
    ],
)
def test_what_it_does_not_concern_is_accepted(
    spark: SparkSession, setting: str, value: str, fine: str
) -> None:
    session = spark.newSession()
    session.conf.set(ANSI, "false")
    session.conf.set(setting, value)
    check_settings(session, {"f": fine})


@pytest.mark.parametrize("call", ["format_string('%tH', 1L)", "printf('%h', array(1))"])
def test_javas_formatter_is_no_feature(bundles: Path, call: str) -> None:
    with pytest.raises(SignatureError, match="is not one that a bundle may call"):
        save(bundles, f"length({call})")


def test_a_setting_by_which_char_columns_are_compared_otherwise(spark: SparkSession) -> None:
    setting = f"{OLD}charVarcharAsString"
    usual, other = spark.newSession(), spark.newSession()
    other.conf.set(setting, "true")
    spark.sql("CREATE TABLE chars (c CHAR(5)) USING parquet")
    try:
        spark.sql("INSERT INTO chars VALUES ('EU')")
        equal = [s.sql("SELECT c = 'EU' FROM chars").first()[0] for s in (usual, other)]
    finally:
        spark.sql("DROP TABLE chars")
    assert equal == [True, False]
    check_settings(usual, {"f": "c = 'EU'"})
    with pytest.raises(ConfigError, match=f"feature 'f' has .*{setting} gives them another mean"):
        check_settings(other, {"f": "c = 'EU'"})
