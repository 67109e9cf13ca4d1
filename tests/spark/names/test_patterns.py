"""Names that Spark would read as patterns of names or as escapes, were they in SQL text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si

pytestmark = pytest.mark.one_spark

REGEX = "spark.sql.parser.quotedRegexColumnNames"
ESCAPED = "spark.sql.parser.escapedStringLiterals"
NAMES = [
    "a+b",
    "a.b",
    ".*",
    "(?i)AAB",
    "a|aab",
    "plain",
    "select",
    "a`b",
    "ä",
    r"a\nb",
    "it's '",
    r"'\a",
]


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor, r: torch.Tensor, r_mask: torch.Tensor) -> torch.Tensor:
        return x.sum(1) + (r.sum(-1) * r_mask).sum(1)


@pytest.fixture(params=[None, REGEX, ESCAPED], ids=["names", "patterns", "escaped"])
def session(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    own = spark.newSession()
    if request.param is not None:
        own.conf.set(request.param, "true")
    return own


def source(session: SparkSession, name: str) -> DataFrame:
    item = F.struct(F.lit(10.0).alias(name), F.lit(5000.0).alias("f"))
    others = [F.lit(100.0).alias(other) for other in ("aab", "a1b", "AAB2", "c") if other != name]
    return session.range(1).select(F.lit(1.0).alias(name), F.array(item).alias("r"), *others)


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_column_is_found_by_its_name(session: SparkSession, bundles: Path, name: str) -> None:
    signature = si.Signature(
        inputs=[
            si.ScalarInput("x", columns=[name]),
            si.RaggedInput("r", column="r", fields=[name]),
        ],
        outputs=[si.Output("score")],
    )
    bundle = si.save_bundle(bundles, Sum(), signature=signature)
    rows = source(session, name)
    found = [
        si.predict(rows, bundle).first()["score"],
        si.predict(rows, bundle, keep=["c", name]).first()["score"],
    ]
    kinds: list[Any] = ["auto", "pandas"]
    for kind in kinds:
        score = si.predict_udf(session, bundle, kind=kind)
        quoted = "`" + name.replace("`", "``") + "`"
        found.append(rows.select(score()).first()[0])
        found.append(rows.select(score(name, "r")).first()[0])
        found.append(rows.select(score(F.col(quoted), F.col("r"))).first()[0])
    assert found == [11.0] * len(found)
