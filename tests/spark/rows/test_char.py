"""CHAR(n), whose values Spark fills with blanks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import SparkSession
from pyspark.sql.functions import regexp_replace, udf, upper
from pyspark.sql.types import StringType, StructField

import spark_infer as si
from spark_infer.errors import SignatureError
from spark_infer.spark.types import char_type
from spark_infer.warehouse.sinks.formats import full_type


class Ids(torch.nn.Module):
    def forward(self, x: torch.Tensor, *mask: torch.Tensor) -> torch.Tensor:
        return x[:, 0].float()


WORDS = ("EU", "USA")
INPUTS = {
    "vocabulary": si.ScalarInput("x", columns=["w"], vocabulary=WORDS),
    "hash": si.ScalarInput(
        "x", columns=["w"], dtype="int64", transform=si.HashBuckets(num_buckets=50)
    ),
    "bytes": si.RaggedInput(
        "x", column="w", dtype="uint8", transform=si.RawBytes(), mask=False, min_length=1
    ),
    "number": si.ScalarInput("x", columns=["w"]),
    "ragged": si.RaggedInput("x", column="a", vocabulary=WORDS, min_length=1),
    "array": si.ArrayInput("x", column="a", shape=[1], vocabulary=WORDS),
}


def save(path: Path, kind: str, **options: Any) -> si.Bundle:
    signature = si.Signature(inputs=[INPUTS[kind]], outputs=[si.Output("score")])
    return si.save_bundle(path / kind, Ids(), signature=signature, **options)


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> Iterator[str]:
    columns = "id INT, w CHAR(5), v VARCHAR(5), a ARRAY<CHAR(5)>"
    spark.sql("CREATE DATABASE padded")
    spark.sql(f"CREATE TABLE padded.t ({columns}) USING parquet")
    spark.sql("INSERT INTO padded.t VALUES (1, 'EU', 'EU', array('EU'))")
    spark.sql("INSERT INTO padded.t VALUES (2, 'USA', 'USA', array('USA'))")
    yield "padded.t"
    spark.sql("DROP DATABASE padded CASCADE")


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("kind", ["vocabulary", "hash", "ragged", "array"])
@pytest.mark.parametrize("keep", [None, ["id"]])
def test_words_that_are_filled_with_blanks_are_refused(
    spark: SparkSession, table: str, bundles: Path, kind: str, keep: Any
) -> None:
    bundle = save(bundles, kind)
    for df in (spark.table(table), spark.sql(f"SELECT * FROM {table} WHERE id > 0").alias("y")):
        with pytest.raises(
            SignatureError,
            match=r"column '[wa]' \(input 'x'\): .*char\(5\)>?, .* with blanks.*with rtrim",
        ):
            si.predict(df, bundle, keep=keep)


LOST = {
    "filled": "SELECT id, coalesce(w, 'z') AS w FROM {t}",
    "union": "SELECT 0 AS id, 'EU' AS w UNION ALL SELECT id, w FROM {t}",
    "union of positions": "SELECT 0 AS id, 'EU' AS w UNION SELECT a, b FROM "
    "(SELECT id a, w b FROM {t})",
    "full join": "SELECT w, l.id FROM {t} l FULL JOIN {t} r USING (w)",
    "scalar subquery": "SELECT 1 AS id, (SELECT max(w) FROM {t}) AS w",
    "correlated": "SELECT id, (SELECT max(w) FROM {t} i WHERE i.id = o.id) AS w FROM {t} o",
    "with": "WITH c AS (SELECT id, upper(w) AS w FROM {t}) "
    "SELECT l.* FROM c l JOIN c r ON l.id = r.id",
    "branch": "SELECT id, CASE WHEN id > 1 THEN 'EU' ELSE w END AS w FROM {t}",
    "group": "SELECT max(id) AS id, w FROM {t} GROUP BY w",
    "rollup": "SELECT max(id) AS id, w FROM {t} GROUP BY ROLLUP (w)",
    "first": "SELECT id, first(w) AS w FROM {t} GROUP BY id",
    "window": "SELECT id, lag(w, 0) OVER (ORDER BY id) AS w FROM {t}",
    "explode": "SELECT id, w FROM (SELECT id, a FROM {t}) LATERAL VIEW explode(a) AS w",
    "element": "SELECT id, a[0] AS w FROM {t}",
    "concatenated": "SELECT id, concat('', w) AS w FROM {t}",
    "field": "SELECT id, s.f AS w FROM (SELECT id, struct(id AS g, w AS f) AS s FROM {t})",
    "left trimmed": "SELECT id, ltrim(w) AS w FROM {t}",
    "trimmed of others": "SELECT id, rtrim('x', w) AS w FROM {t}",
    "lambda": "SELECT id, transform(a, x -> upper(x))[0] AS w FROM {t}",
    "filtered": "SELECT id, filter(a, x -> rtrim(x) > '')[0] AS w FROM {t}",
    "hash": "SELECT id, sha2(w, 256) AS w FROM {t}",
    "coded": "SELECT id, decode(encode(w, 'UTF-8'), 'UTF-8') AS w FROM {t}",
    "binary": "SELECT id, string(binary(w)) AS w FROM {t}",
    "tab": "SELECT id, rtrim('\t', w) AS w FROM {t}",
    "latest": "SELECT id, first_value(w) OVER (PARTITION BY id ORDER BY v) AS w FROM {t}",
    "lateral": "SELECT id, w FROM (SELECT id, w AS v FROM {t}), LATERAL (SELECT v AS w)",
}
"""Ways on which a column loses the mark of its type, and keeps the blanks."""

TRIMMED = {
    "coalesce": "SELECT id, coalesce(rtrim(w), 'z') AS w FROM {t}",
    "trim": "SELECT id, trim(w) AS w FROM {t}",
    "both": "SELECT id, trim(BOTH ' ' FROM w) AS w FROM {t}",
    "trailing": "SELECT id, trim(TRAILING FROM w) AS w FROM {t}",
    "btrim": "SELECT id, btrim(w) AS w FROM {t}",
    "union": "SELECT id, v AS w FROM {t} WHERE id = 1 UNION ALL "
    "SELECT id, rtrim(w) FROM {t} WHERE id = 2",
    "group": "SELECT id, max(rtrim(w)) AS w FROM {t} GROUP BY id",
    "condition": "SELECT id, CASE WHEN w = 'EU' THEN 'EU' ELSE 'USA' END AS w FROM {t}",
    "other field": "SELECT id, s.v AS w FROM (SELECT id, struct(w, v) AS s FROM {t})",
    "lambda": "SELECT id, transform(a, x -> rtrim(x))[0] AS w FROM {t}",
    "window": "SELECT id, max(rtrim(w)) OVER (PARTITION BY id) AS w FROM {t}",
    "window over": "SELECT id, max(v) OVER (PARTITION BY w ORDER BY id) AS w FROM {t}",
    "beside": "SELECT id, v AS w, a FROM {t}",
}


@pytest.mark.nightly_after(10)
@pytest.mark.parametrize("way", LOST)
def test_blanks_are_found_behind_what_is_done_with_a_column(
    spark: SparkSession, table: str, bundles: Path, way: str
) -> None:
    df = spark.sql(LOST[way].format(t=table))
    with pytest.raises(
        SignatureError, match=r"column 'w'.*char\(5\)>?, .* with blanks.*with rtrim"
    ):
        si.predict(df, save(bundles, "vocabulary"), keep=["id"])


def test_blanks_are_found_through_fillna_and_views(
    spark: SparkSession, table: str, bundles: Path
) -> None:
    spark.sql(f"CREATE VIEW padded.v AS SELECT id, substr(w, 1) AS w FROM {table}")
    renamed = spark.table(table).fillna("z").withColumnRenamed("w", "W")
    for df in (renamed, spark.table("padded.v"), spark.table(table).replace("EU", "USA")):
        with pytest.raises(SignatureError, match=r"char\(5\), .* with blanks"):
            si.predict(df, save(bundles, "vocabulary"), keep=["id"])


def test_blanks_that_spark_does_not_add_when_it_reads_are_found(
    spark: SparkSession, table: str, bundles: Path
) -> None:
    session = spark.newSession()
    session.conf.set("spark.sql.readSideCharPadding", "false")
    df = session.sql(f"SELECT id, upper(w) AS w FROM {table}")
    with pytest.raises(SignatureError, match=r"char\(5\), .* with blanks"):
        si.predict(df, save(bundles, "vocabulary"), keep=["id"])


@pytest.mark.nightly_after(5)
@pytest.mark.parametrize(
    ("kind", "feature"),
    [
        ("vocabulary", "upper(w)"),
        ("vocabulary", "IF(upper(w) = 'EU', 'EU', 'USA')"),
        ("hash", "md5(w)"),
        ("bytes", "encode(w, 'UTF-8')"),
        ("number", "length(w)"),
        ("number", "pmod(xxhash64(w), 50)"),
        ("number", "CASE upper(w) WHEN 'EU' THEN 1 ELSE 0 END"),
    ],
)
@pytest.mark.parametrize("keep", [None, ["id"]])
def test_a_feature_of_a_padded_column_is_refused(
    spark: SparkSession, table: str, bundles: Path, kind: str, feature: str, keep: Any
) -> None:
    bundle = save(bundles, kind, features={"w": feature})
    strings = spark.sql(f"SELECT id, rtrim(w) AS w FROM {table}")
    assert si.predict(strings, bundle, keep=keep).count() == 2
    with pytest.raises(SignatureError, match=r"char\(5\), .* with blanks"):
        si.predict(spark.table(table), bundle, keep=keep)


@pytest.mark.nightly
def test_a_long_chain_of_columns_is_followed(
    spark: SparkSession, table: str, bundles: Path
) -> None:
    df = spark.table(table).select("id", "w", "v")
    for _ in range(150):
        df = df.withColumn("w", regexp_replace("w", "q", "")).withColumn("v", upper("v"))
    with pytest.raises(SignatureError, match=r"char\(5\), .* with blanks"):
        si.predict(df, save(bundles, "vocabulary"), keep=["id"])
    of_v = df.select("id", df.v.alias("w"))
    assert si.predict(of_v, save(bundles, "vocabulary"), keep=["id"]).count() == 2


def test_a_field_beside_a_padded_one_is_taken(
    spark: SparkSession, table: str, bundles: Path
) -> None:
    spark.sql("CREATE TABLE padded.s (id INT, s STRUCT<c: CHAR(5), v: VARCHAR(5)>) USING parquet")
    spark.sql("INSERT INTO padded.s VALUES (1, named_struct('c', 'EU', 'v', 'USA'))")
    bundle = save(bundles, "vocabulary")
    assert [
        row.score
        for row in si.predict(
            spark.sql("SELECT id, s.v AS w FROM padded.s"), bundle, keep=["id"]
        ).collect()
    ] == [1.0]
    with pytest.raises(SignatureError, match=r"char\(5\), .* with blanks"):
        si.predict(spark.sql("SELECT id, s.c AS w FROM padded.s"), bundle, keep=["id"])


@pytest.mark.nightly_after(4)
@pytest.mark.parametrize("way", TRIMMED)
def test_trimmed_words_are_taken(spark: SparkSession, table: str, bundles: Path, way: str) -> None:
    df = spark.sql(TRIMMED[way].format(t=table))
    predicted = si.predict(df, save(bundles, "vocabulary"), keep=["id"]).orderBy("id").collect()
    assert [row.score for row in predicted] == [0.0, 1.0]


def test_what_a_function_of_the_users_returns_is_taken(
    spark: SparkSession, table: str, bundles: Path
) -> None:
    strip = udf(str.strip, "string")
    df = spark.table(table).select("id", strip("w").alias("w"))
    predicted = si.predict(df, save(bundles, "vocabulary"), keep=["id"]).orderBy("id").collect()
    assert [row.score for row in predicted] == [0.0, 1.0]


def test_what_the_message_says_helps(spark: SparkSession, table: str, bundles: Path) -> None:
    bundle = save(bundles, "vocabulary")
    featured = save(bundles / "f", "vocabulary", features={"w": "rtrim(w)"})
    rows = {
        "source": (spark.sql(f"SELECT id, rtrim(w) AS w FROM {table}"), bundle),
        "varchar": (spark.sql(f"SELECT id, v AS w FROM {table}"), bundle),
        "feature": (spark.table(table), featured),
        "array": (
            spark.sql(f"SELECT id, transform(a, x -> rtrim(x)) AS a FROM {table}"),
            save(bundles, "ragged"),
        ),
    }
    for df, model in rows.values():
        predicted = si.predict(df, model, keep=["id"]).orderBy("id").collect()
        assert [row.score for row in predicted] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("declared", "char", "full"),
    [
        ("char(5)", "char(5)", "char(5)"),
        ("varchar(5)", None, "string"),
        ("array<char(5)>", "array<char(5)>", "array<char(5)>"),
        ("struct<c:char(5),v:varchar(3)>", *["struct<c:char(5),v:string>"] * 2),
        ("map<varchar(3),array<varchar(4)>>", None, "string"),
        ("map<varchar(3),array<char(4)>>", *["map<string,array<char(4)>>"] * 2),
        (None, None, "string"),
    ],
)
def test_a_char_is_found_wherever_it_is(declared: Any, char: Any, full: str) -> None:
    metadata = {} if declared is None else {"__CHAR_VARCHAR_TYPE_STRING": declared}
    field = StructField("x", StringType(), True, metadata)
    assert (char_type(declared), full_type(field)) == (char, full)
