from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyspark
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.bundle.features import AGGREGATES, CONVERT_TIMES, FUNCTIONS, MAKE_TEXT, WINDOW_ONLY
from spark_infer.errors import BundleError, ConfigError, SignatureError, SparkInferError
from spark_infer.spark.features import check_expressions
from tests.spark.features.visible import visible
from tests.unit.support.expressions import (
    CALLS,
    COLUMNS,
    COMPARED,
    MOMENTS,
    ORDINARY,
    QUERIES,
    ROWS,
    SYNTAX,
    TIMES,
    expressions,
)

HAS_SPARK_4 = not pyspark.__version__.startswith("3.")


@pytest.fixture(scope="module", autouse=True)
def sizes_of_null(spark: SparkSession) -> Iterator[None]:
    """Let ``size`` mean the same on all versions: by the settings of Spark 3.5 it is refused."""
    spark.conf.set("spark.sql.legacy.sizeOfNull", "false")
    yield
    spark.conf.unset("spark.sql.legacy.sizeOfNull")


@pytest.fixture(scope="module")
def source(spark: SparkSession) -> DataFrame:
    day = dt.date(2024, 2, 29)
    time = dt.datetime(2024, 2, 29, 12, 30)
    lists = ([1, 2, 3], {"k": 1}, (5, "y"), [("n", 4)], Decimal("1.50"))
    rows = [
        (1, 1.5, 2, "x1", time, day, *lists, True, "u", 0.5),
        (2, 2.5, 3, "y", time + dt.timedelta(hours=1), day, *lists, False, "v", -1.0),
        (3, 4.0, 1, "x1", time + dt.timedelta(days=3), day, *lists, None, "w", None),
    ]
    return spark.createDataFrame(rows, COLUMNS).cache()


@pytest.mark.nightly
def test_ordinary_expressions_give_the_values_that_they_give_without_a_bundle(
    source: DataFrame,
) -> None:
    known = [sql for sql in ORDINARY if HAS_SPARK_4 or "::" not in sql]
    features = {f"f{at}": sql for at, sql in enumerate(known)}
    featured = visible(source, features).orderBy("id").collect()
    expected = source.selectExpr("id", *(f"({sql}) AS {n}" for n, sql in features.items()))
    for row, wanted in zip(featured, expected.orderBy("id").collect(), strict=True):
        for name, sql in features.items():
            assert row[name] == wanted[name], sql


def test_values_of_some_expressions(source: DataFrame) -> None:
    features = {
        "total": "aggregate(filter(arr, x -> x > 1), 0, (acc, x) -> acc + x)",
        "before": "lag(a) OVER (ORDER BY id)",
        "night": "CAST(hour(ts) <= 6 AS FLOAT)",
        "quoted": "`odd ``name, EUR` * 2",
        "user": "upper(`user`)",
        "nested": "struct(transform(people, p -> p.name) AS names).names[0]",
    }
    rows = visible(source, features).orderBy("id").collect()
    found = [tuple(row[name] for name in features) for row in rows]
    assert found == [
        (5, None, 0.0, 1.0, "U", "n"),
        (5, 1.5, 0.0, -2.0, "V", "n"),
        (5, 2.5, 0.0, None, "W", "n"),
    ]


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(expressions(), min_size=20, max_size=40))
def test_compositions_of_allowed_parts_are_features(source: DataFrame, texts: list[str]) -> None:
    features = {f"f{at}": sql for at, sql in enumerate(texts)}
    expected = source.selectExpr("*", *(f"({sql}) AS {n}" for n, sql in features.items()))
    assert visible(source, features).schema == expected.schema


@pytest.mark.parametrize("sql", [*QUERIES, *CALLS, *ROWS], ids=ascii)
def test_spark_reads_it_and_it_is_refused(source: DataFrame, sql: str) -> None:
    """The check of the text is not asked here: this one holds alone."""
    for columns in (source.columns, None):
        with pytest.raises((BundleError, SignatureError), match=r"^feature 'f' \("):
            check_expressions(source.sparkSession, {"fine": "a + 1", "f": sql}, columns)


def test_other_texts_are_refused_or_keep_the_rows(source: DataFrame) -> None:
    """Spark's language is larger than a bundle's, in harmless ways too."""
    passed = []
    for sql in (sql for sql in SYNTAX if len(sql) < 500):
        try:
            featured = visible(source.select("a", "b", "s", "flag"), {"f": sql})
        except SparkInferError:
            continue
        assert featured.columns == ["a", "b", "s", "flag", "f"], sql
        passed.append(sql)
    assert "a -- hidden" in passed
    assert not {sql for sql in passed if "${" in sql or "(a)(" in sql or " AS b" in sql}


def test_a_name_that_is_no_column_is_not_looked_up_in_the_session(source: DataFrame) -> None:
    plain = source.select("id", "a", F.col("s").alias("Name, EUR"))
    for sql in ("current_user", "`user`", "`_metadata`.file_path", "session.secret", "nothing"):
        with pytest.raises(SignatureError, match=r"^feature 'f' \(.*the source has no column"):
            visible(plain, {"f": sql})
    with pytest.raises(SignatureError, match="no column 'amuont'; did you mean 'Amount'"):
        visible(plain.withColumn("Amount", F.lit(1)), {"f": "amuont"})
    featured = visible(plain.alias("t"), {"f": "a + A", "g": "`name, eur`"})
    assert featured.orderBy("id").first()["f"] == 3.0
    assert featured.orderBy("id").first()["g"] == "x1"


def test_what_is_in_front_of_a_dot_is_a_source_column(source: DataFrame) -> None:
    plain = source.select("id", "a", F.lit(1).alias("file_path"), F.lit(2).alias("v, a"), "st")
    texts = ("`_metadata`.file_path", "_METADATA.file_path", "t.a", "`t`.`_metadata`.file_path")
    for sql in (*texts, "t.st.x", "v.a", "session.a", "system.session.a", "f.a"):
        with pytest.raises(SignatureError, match=r"^feature 'f' \(.*the source has no column"):
            visible(plain.alias("t"), {"f": sql})
    with pytest.raises(SignatureError, match="no column 't'; write a without a table"):
        visible(plain.alias("t"), {"f": "t.a"})
    with pytest.raises(SignatureError, match="FIELD_NOT_FOUND"):
        visible(plain.alias("st"), {"f": "st._metadata.file_path"})
    named = plain.select("id", F.struct("file_path").alias("_metadata"), "`v, a`", "st")
    features = {"f": "_Metadata.file_path", "g": "`v, a` + ST.x", "h": "`st`.`y`"}
    first = visible(named, features).orderBy("id").first()
    assert (first["f"], first["g"], first["h"]) == (1, 7, "y")


def test_the_file_of_a_row_is_not_read(source: DataFrame, tmp_path: Path) -> None:
    source.select("id", F.lit("x").alias("file_path")).write.parquet(str(tmp_path / "t"))
    stored = source.sparkSession.read.parquet(str(tmp_path / "t"))
    for sql in ("`_metadata`.file_path", "_metadata.file_path", "`_MetaData`.`File_Path`"):
        with pytest.raises(SignatureError, match="the source has no column"):
            visible(stored, {"f": sql})
        with pytest.raises(BundleError, match="use predict"):
            check_expressions(source.sparkSession, {"f": sql.replace("`_m", "t.`_m")})


@pytest.mark.parametrize("sql", MOMENTS, ids=ascii)
def test_the_time_of_the_run_is_no_feature(source: DataFrame, sql: str) -> None:
    with pytest.raises((BundleError, SignatureError), match=r"^feature 'f' \("):
        visible(source, {"fine": "a + 1", "f": sql})
    with pytest.raises(BundleError, match=r"^feature 'f' \("):
        check_expressions(source.sparkSession, {"fine": "a + 1", "f": sql})


@pytest.fixture
def ansi(spark: SparkSession) -> Iterator[None]:
    """By ANSI's rules, the default of Spark 4, text beside timestamps becomes one of them."""
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", "true")
    yield
    spark.conf.set("spark.sql.ansi.enabled", str(before))


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("sql", COMPARED, ids=ascii)
def test_nor_is_a_text_that_is_compared_with_times(source: DataFrame, sql: str) -> None:
    with pytest.raises(SignatureError, match=r"^feature 'f' \(.*(as the time|the day) of the run"):
        visible(source, {"fine": "a + 1", "f": sql})
    with pytest.raises(
        BundleError, match=r"^feature 'f' \(.*(makes a text of no c|without a date)"
    ):
        check_expressions(source.sparkSession, {"f": sql})


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("sql", TIMES, ids=ascii)
def test_nor_is_a_time_of_day_that_becomes_a_timestamp(source: DataFrame, sql: str) -> None:
    with pytest.raises(SignatureError, match=r"^feature 'f' \(.*a time without a date"):
        visible(source, {"fine": "a + 1", "f": sql})
    with pytest.raises(BundleError, match=r"^feature 'f' \(.*without a date could be"):
        check_expressions(source.sparkSession, {"f": sql})


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize(
    "sql",
    [
        "s = '12:30'",
        "date_format(ts, 'HH:mm') > '12:30'",
        "s IN ('T1', 'T2')",
        "element_at(split('a,b', ','), 1)",
        "replace(s, chr(10), ' ')",
        "year(CAST(concat(year(d), '-01-01') AS DATE)) + length(hex('1'))",
        "to_timestamp('12:30', 'HH:mm') < ts",
        "transform(split('2024-01-01,x', ','), x -> concat(s, x))",
        "transform(split('-01-01', ','), x -> CAST(concat(year(d), x) AS DATE))",
        "transform(transform(arr, x -> hex(x)), x -> try_cast(concat(x, chr(32)) AS DATE))",
    ],
)
def test_texts_that_stay_texts_are_fine_where_types_are_known(source: DataFrame, sql: str) -> None:
    found = visible(source, {"f": sql}).orderBy("id").collect()
    wanted = source.selectExpr("id", f"{sql} AS f").orderBy("id").collect()
    assert [row["f"] for row in found] == [row["f"] for row in wanted]


def test_a_source_may_read_the_time_of_the_run(source: DataFrame) -> None:
    timed = source.withColumn("at", F.expr("CAST('now' AS TIMESTAMP)"))
    assert visible(timed, {"f": "year(at)"}).first()["f"] >= 2024
    with pytest.raises(SignatureError, match=r"^feature 'g' \(.*as the time of the run"):
        visible(timed, {"f": "year(at)", "g": "at > concat('no', 'w')"})


def test_the_text_of_a_row_is_never_the_time_of_the_run(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("now",), ("today",)], "s string")
    featured = visible(rows, {"f": "TRY_CAST(s AS TIMESTAMP)"})
    assert [row["f"] for row in featured.collect()] == [None, None]


def test_a_session_that_takes_names_for_patterns_is_told_which_setting(
    spark: SparkSession,
) -> None:
    rows = spark.sql("SELECT 1 AS a, 2 AS `odd name`")
    spark.conf.set("spark.sql.parser.quotedRegexColumnNames", "true")
    try:
        for sql in ("`odd name`", "`odd name` + 1", "abs(`odd name`)", "`.*`"):
            with pytest.raises(
                ConfigError, match=r"set spark.sql.parser.quotedRegexColumnNames to"
            ):
                visible(rows, {"f": sql})
            with pytest.raises(
                ConfigError, match=r"set spark.sql.parser.quotedRegexColumnNames to"
            ):
                check_expressions(spark, {"f": sql})
        assert visible(rows, {"f": "a + `a`"}).first()["f"] == 2
    finally:
        spark.conf.unset("spark.sql.parser.quotedRegexColumnNames")
    assert visible(rows, {"f": "`odd name`"}).first()["f"] == 2


def test_functions_of_times_and_texts_are_listed_ones() -> None:
    assert CONVERT_TIMES | MAKE_TEXT <= FUNCTIONS


def test_a_column_may_have_the_name_of_a_session_function(source: DataFrame) -> None:
    columns = {"current_date": F.lit(5), "session": F.struct(F.lit(6).alias("secret"))}
    named = source.withColumns(columns)
    features = {"f": "`current_date` + session.secret", "g": "transform(arr, `user` -> `user`)"}
    first = visible(named, features).orderBy("id").first()
    assert (first["f"], first["g"]) == (11, [1, 2, 3])


def test_names_follow_the_case_rule_of_the_session(source: DataFrame) -> None:
    session = source.sparkSession.newSession()
    session.conf.set("spark.sql.caseSensitive", "true")
    check_expressions(session, {"f": "`user`"}, ["user"])
    with pytest.raises(SignatureError, match="no column 'user'; did you mean 'User'"):
        check_expressions(session, {"f": "`user`"}, ["User"])
    check_expressions(source.sparkSession, {"f": "`user`"}, ["User"])


@pytest.mark.skipif(not HAS_SPARK_4, reason="Spark 3.5 has no variables")
def test_the_variables_of_a_session_are_not_read(source: DataFrame) -> None:
    session = source.sparkSession.newSession()
    session.sql("DECLARE VARIABLE secret INT DEFAULT 42")
    with pytest.raises(SignatureError, match="the source has no column 'secret'"):
        check_expressions(session, {"f": "secret + 1"}, ["a"])
    with pytest.raises(SignatureError, match="the source has no column 'x'"):
        check_expressions(session, {"f": "array_size(transform(arr, x -> x)) + x"}, ["arr"])
    session.sql("DECLARE VARIABLE v STRUCT<a: INT, x: INT> DEFAULT named_struct('a', 1, 'x', 2)")
    session.sql("DECLARE VARIABLE a STRUCT<x: INT> DEFAULT named_struct('x', 3)")
    for sql in ("v.a", "session.a.x", "system.session.v.a", "`V`.`A`"):
        with pytest.raises(SignatureError, match="the source has no column"):
            check_expressions(session, {"f": sql}, ["a", "v, a"])
    rows = session.createDataFrame([(1.5,)], "a double")
    with pytest.raises(SignatureError, match="INVALID_EXTRACT_BASE_FIELD_TYPE"):
        visible(rows, {"f": "a.x"})
    with pytest.raises(ConfigError, match="the Spark session has SQL variables"):
        check_expressions(session, {"f": "secret + 1"})


def test_without_columns_names_of_the_session_are_refused(source: DataFrame) -> None:
    check_expressions(source.sparkSession, {"f": "a + st['x']"})
    with pytest.raises(BundleError, match=r"a column of a table .* write st\['x'\] into the feat"):
        check_expressions(source.sparkSession, {"f": "a + st.x"})
    folded = ("`u\u017fer`", "`current_t\u0131mestamp`", "`current_t\u0130mestamp`")
    plain = ("`user`", "current_date", "`_metadata`.file_path", "transform(a, x -> `user`)")
    for sql in (*plain, *folded):
        with pytest.raises(BundleError, match="use predict, which knows the columns"):
            check_expressions(source.sparkSession, {"f": sql})


def test_a_session_function_in_the_place_of_a_built_in_one(source: DataFrame) -> None:
    """Spark 3.5 lets it take the place, where it is named; later ones keep their own."""
    session = source.sparkSession.newSession()
    session.udf.register("log1p", lambda value: "mine", "string")
    mine = session.sql("SELECT log1p(0)").first()[0] == "mine"
    if mine:
        with pytest.raises(ConfigError, match="function of its own called log1p"):
            check_expressions(session, {"f": "abs(log1p(a))"}, ["a"])
    else:
        check_expressions(session, {"f": "abs(log1p(a))"}, ["a"])


@pytest.mark.parametrize("cases", [1, 5, 40])
def test_functions_are_seen_below_any_number_of_cases(spark: SparkSession, cases: int) -> None:
    """As JSON such a tree doubles with each of them: 20 filled the JVM."""
    opened, closed = "CASE WHEN a > 1 THEN " * cases, " ELSE abs(a) END" * cases
    check_expressions(spark, {"f": f"{opened} abs(`b, c`) {closed}"}, ["a", "B, c"])
    for inner in ("reflect('a', 'b')", "(SELECT 1)", "sum(a)", "current_user", "'now'", "d.f(a)"):
        with pytest.raises((BundleError, SignatureError), match=r"^feature 'f' \("):
            check_expressions(spark, {"f": f"{opened} {inner} {closed}"}, ["a"])


def test_spark_classifies_the_listed_functions_as_the_list_does(spark: SparkSession) -> None:
    catalog = spark._jsparkSession.sessionState().catalog()
    groups: dict[str, set[str]] = {}
    for name in FUNCTIONS:
        found = catalog.lookupBuiltinOrTempFunction(name)
        if found.isDefined():
            groups.setdefault(found.get().getGroup(), set()).add(name)
    assert groups.pop("agg_funcs") == AGGREGATES
    assert groups.pop("window_funcs") == WINDOW_ONLY
    assert groups.pop("misc_funcs") <= {"typeof", "equal_null"}
    kinds = "array bitwise collection conditional conversion datetime hash json lambda map math"
    kinds += " predicate string struct url"
    assert set(groups) == {f"{kind}_funcs" for kind in kinds.split()}
    unknown = FUNCTIONS.difference(*groups.values(), AGGREGATES, WINDOW_ONLY, {"typeof"})
    if HAS_SPARK_4:
        # Spark's parser reads these two itself.
        assert unknown == {"timestampadd", "timestampdiff"}


def test_a_function_that_this_spark_lacks_is_named(spark: SparkSession) -> None:
    with pytest.raises(SignatureError, match="has no built-in function timestampadd, which"):
        check_expressions(spark, {"f": "`timestampadd`(a)"}, ["a"])


def test_what_spark_cannot_read_is_named(spark: SparkSession) -> None:
    with pytest.raises(SignatureError, match=r"^feature 'f' \(a b c\): \[PARSE_SYNTAX_ERROR\]"):
        check_expressions(spark, {"fine": "a", "f": "a b c"}, ["a"])


def test_a_bundle_that_skipped_the_first_check_is_refused_when_used(
    rows: DataFrame, linear: si.Bundle
) -> None:
    features = {"double_b": "(SELECT 1)"}
    manifest = dataclasses.replace(linear.manifest, features=features)
    bundle = dataclasses.replace(linear, manifest=manifest)
    with pytest.raises(BundleError, match=r"feature 'double_b' .*ScalarSubquery"):
        si.predict(rows, bundle)
    with pytest.raises(BundleError, match=r"feature 'double_b' .*ScalarSubquery"):
        si.predict_udf(rows.sparkSession, bundle)()
