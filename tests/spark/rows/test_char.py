"""CHAR(n), whose values Spark fills with blanks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import SparkSession
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


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("keep", [None, ["id"]])
def test_words_that_are_filled_with_blanks_are_refused(
    spark: SparkSession, table: str, bundles: Path, kind: str, keep: Any
) -> None:
    bundle = save(bundles, kind)
    for df in (spark.table(table), spark.sql(f"SELECT * FROM {table} WHERE id > 0").alias("y")):
        with pytest.raises(
            SignatureError,
            match=r"column '[wa]' \(input 'x'\): Spark fills .*char\(5\)>? with blanks.*with rtrim",
        ):
            si.predict(df, bundle, keep=keep)


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
    assert (char_type(field), full_type(field)) == (char, full)
