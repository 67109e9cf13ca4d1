"""Features that were written for columns of certain types, over columns of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.bundle.source_types import FAMILIES
from spark_infer.errors import SignatureError, SparkInferError


class First(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] + x[:, 1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["hour", "twice"])], outputs=[si.Output("y")]
    )
    return si.save_bundle(
        tmp_path_factory.mktemp("s") / "b",
        First(),
        signature=signature,
        features={"hour": "hour(ts)", "twice": "n * 2"},
        source_types={"ts": "timestamp", "n": "int"},
    )


TS = "timestamp'2020-01-01 05:00:00'"


def source(
    spark: SparkSession, ts: str = "timestamp'2020-01-01 05:00:00'", n: str = "4"
) -> DataFrame:
    return spark.range(1).select(F.expr(f"{ts} AS ts"), F.expr(f"{n} AS n"))


@pytest.mark.parametrize("n", ["4", "4L", "4.0D", "CAST(4 AS decimal(9, 2))", "4Y"])
def test_numbers_of_any_width_are_one_kind(spark: SparkSession, bundle: si.Bundle, n: str) -> None:
    df = source(spark, n=n)
    assert si.predict(df, bundle).first().y == 13.0
    assert df.select(si.predict_udf(spark, bundle)().alias("y")).first().y == 13.0


@pytest.mark.parametrize(
    ("ts", "n", "problem"),
    [
        ("'2020-01-01 05:00:00'", "4", "column 'ts' is string, and .* written for timestamp; conv"),
        ("timestamp_ntz'2020-01-01 05:00:00'", "4", "column 'ts' is timestamp_ntz, and"),
        ("date'2020-01-01'", "4", "column 'ts' is date, and"),
        (TS, "'4'", "column 'n' is string, and .* written for int"),
        (TS, "binary('4')", "column 'n' is binary, and"),
    ],
)
def test_columns_of_another_kind_are_refused(
    spark: SparkSession, bundle: si.Bundle, ts: str, n: str, problem: str
) -> None:
    df = source(spark, ts, n)
    for keep in (None, ["n"]):
        with pytest.raises(SignatureError, match=problem):
            si.predict(df, bundle, keep=keep)
    # Where Spark cannot even analyze the feature, it says so itself.
    with pytest.raises(Exception, match=f"{problem}|DATATYPE_MISMATCH"):
        df.select(si.predict_udf(spark, bundle)()).collect()


def test_names_follow_the_sessions_rule(spark: SparkSession, bundle: si.Bundle) -> None:
    df = source(spark).withColumnsRenamed({"ts": "TS", "n": "N"})
    assert si.predict(df, bundle).first().y == 13.0


def test_every_kind_of_type_is_one_of_sparks(spark: SparkSession) -> None:
    nested = {"array": "array<int>", "struct": "struct<a:int>", "map": "map<int,int>"}
    for kind in FAMILIES:
        column = F.lit(None).cast(nested.get(kind, kind))
        found = spark.range(1).select(column.alias("c")).schema["c"].dataType.simpleString()
        assert found.partition("<")[0].partition("(")[0] == kind


def test_types_are_checked_when_saving(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    for options, problem in (
        ({"source_types": {"ts": "timestamp"}}, "there are no features"),
        ({"features": {"a": "b"}, "source_types": ["ts"]}, "source_types must be a dict of kinds"),
        ({"features": {"a": "b"}, "source_types": {"b": "long"}}, "'b' is said to be 'long'"),
    ):
        with pytest.raises(SparkInferError, match=problem):
            si.save_bundle(tmp_path / "b", First(), signature=signature, **options)  # type: ignore[arg-type]
