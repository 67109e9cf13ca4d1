"""Transforms through every way into a model: ``predict``, functions of both kinds, SQL."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyspark
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.bundle import HashBuckets
from spark_infer.errors import SignatureError
from spark_infer.transforms.hash_buckets import bucket

BUCKETS = HashBuckets(num_buckets=1000)
KINDS = ["arrow", "pandas"] if pyspark.__version__ >= "4.1" else ["pandas"]


class Sum(torch.nn.Module):
    """Adds what it gets, each with its own weight, so that nothing can take another's place."""

    def forward(
        self,
        shop: torch.Tensor,
        tags: torch.Tensor,
        tags_mask: torch.Tensor,
        image: torch.Tensor,
    ) -> torch.Tensor:
        of_tags = (tags * tags_mask).sum(1)
        return shop[:, 0] + 1_000.0 * of_tags + 10_000_000.0 * image.double().sum((1, 2))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    signature = si.Signature(
        inputs=[
            si.ScalarInput("shop", columns=[si.Column("shop", nulls=5)], transform=BUCKETS),
            si.RaggedInput("tags", column="tags", transform=BUCKETS, null_items=7),
            si.ArrayInput("image", column="image", shape=[2, 3], transform=si.RawBytes()),
        ],
        outputs=[si.Output("y", dtype="float64")],
    )
    return si.save_bundle(tmp_path_factory.mktemp("t") / "b", Sum(), signature=signature)


def rows() -> list[tuple[Any, ...]]:
    image = np.arange(6, dtype="<f4").reshape(2, 3)
    found: list[tuple[Any, ...]] = [
        (n, f"shop {n % 3}", [f"tag {n}", "x"][: n % 3], (image + n).tobytes()) for n in range(8)
    ]
    return [
        *found,
        (8, None, ["a", None], image.tobytes()),
        (9, "", [], b"12345"),
        (10, "z", None, image.tobytes()),
        (11, "z", [""], None),
    ]


def expected() -> dict[int, float | None]:
    found: dict[int, float | None] = dict.fromkeys((9, 10, 11))
    for key, shop, tags, image in rows():
        if key not in found:
            of_shop = 5 if shop is None else bucket(shop, BUCKETS)
            of_tags = sum(7 if tag is None else bucket(tag, BUCKETS) for tag in tags)
            pixels = float(np.frombuffer(image, "<f4").sum(dtype="f8"))
            found[key] = of_shop + 1e3 * of_tags + 1e7 * pixels
    return found


@pytest.fixture(scope="module")
def df(spark: SparkSession) -> DataFrame:
    schema = "id int, shop string, tags array<string>, image binary"
    return spark.createDataFrame(rows(), schema)


def test_predict_with_and_without_keep(df: DataFrame, bundle: si.Bundle) -> None:
    for predicted in (si.predict(df, bundle, keep=["id"]), si.predict(df, bundle)):
        found = {row.id: (row.y, row.rejected_reason) for row in predicted.collect()}
        assert {key: y for key, (y, _) in found.items()} == expected()
        assert found[9][1] == (
            "column 'image': transform 'raw_bytes' needs values of 24 bytes, float32 of [2, 3]"
        )
        assert found[10][1] == "column 'tags' is null"
        assert found[11][1] == "column 'image' is null"


@pytest.mark.parametrize("kind", KINDS)
def test_functions_of_both_kinds(
    spark: SparkSession, df: DataFrame, bundle: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, bundle, kind=kind)
    by_name = {row.id: row.y for row in df.select("id", score().alias("y")).collect()}
    assert by_name == expected()
    si.register(spark, "summed", bundle, kind=kind)
    df.createOrReplaceTempView("transformed_rows")
    query = "SELECT id, summed(shop, tags, image) AS y FROM transformed_rows"
    assert {row.id: row.y for row in spark.sql(query).collect()} == expected()


@pytest.mark.parametrize(
    ("column", "sql", "problem"),
    [
        ("shop", "5", "int does not match transform 'hash_buckets'; cast to string"),
        ("image", "'text'", "string does not match transform 'raw_bytes'; cast to binary"),
        ("tags", "array(5)", "items: int does not match transform 'hash_buckets'"),
    ],
)
def test_columns_of_other_types_are_refused(
    df: DataFrame, bundle: si.Bundle, column: str, sql: str, problem: str
) -> None:
    with pytest.raises(SignatureError, match=problem):
        si.predict(df.withColumn(column, F.expr(sql)), bundle, keep=["id"])
