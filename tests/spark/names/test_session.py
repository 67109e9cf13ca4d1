"""Columns that a table lacks, and whose names Spark knows for something else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import ConfigError, SignatureError


class Same(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


def save(path: Path, column: str, **options: object) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=[column], **options)], outputs=[si.Output("score")]
    )
    return si.save_bundle(path, Same(), signature=signature)


@pytest.mark.parametrize("name", ["current_date", "Current_User", "USER", "current_timestamp"])
def test_a_name_of_the_session_is_read_from_no_session(
    spark: SparkSession, bundles: Path, name: str
) -> None:
    bundle = save(bundles, name)
    lacking = spark.range(1)
    score = si.predict_udf(spark, bundle)
    with pytest.raises(ConfigError, match=f"column '{name}' is also something that Spark tells"):
        score()
    for keep in (None, ["id"]):
        with pytest.raises(SignatureError, match="is missing"):
            si.predict(lacking, bundle, keep=keep)
    rows = lacking.withColumn(name, F.lit(3.0))
    assert rows.select(score(rows[name])).first()[0] == 3.0
    assert si.predict(rows, bundle).first()["score"] == 3.0


def test_a_variable_of_a_columns_name_is_not_read(spark: SparkSession, bundles: Path) -> None:
    if int(spark.version.partition(".")[0]) < 4:
        pytest.skip("Spark 3 has no variables")
    session = spark.newSession()
    bundle = save(bundles, "limit+1")
    session.sql("DECLARE VARIABLE `limit+1` DOUBLE DEFAULT 42.5")
    session.sql("DECLARE VARIABLE other DOUBLE DEFAULT 1")
    with pytest.raises(ConfigError, match=r"column 'limit\+1' is also a SQL variable"):
        si.predict_udf(session, bundle)()
    with pytest.raises(SignatureError, match="is missing"):
        si.predict(session.range(1), bundle)
    session.sql("DROP TEMPORARY VARIABLE `limit+1`")
    rows = session.range(1).select(F.lit(2.0).alias("limit+1"))
    assert rows.select(si.predict_udf(session, bundle)()).first()[0] == 2.0
