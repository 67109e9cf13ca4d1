"""A reason tells at which stage a row failed, and how."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_infer.warehouse.quarantine.reasons import kind_of, stage_of

pytestmark = pytest.mark.one_spark
REASONS = [
    ("column 'a' is null", "input", "null"),
    ("column 'it\\'s \"odd\"' holds a null", "input", "null"),
    ('column "it\'s" is null', "input", "null"),
    ("column 'w' is shorter than 3", "input", "length"),
    ("column 'w' is longer than 512", "input", "length"),
    ("column 'w' holds a value outside 0..255", "input", "range"),
    ("column 'x' (input 'is null') is not of shape (3,)", "input", "shape"),
    ("column 't': no image", "transform", "value"),
    ("column 't': column 'a' is null", "transform", "value"),
    ("run: output 'score' is NaN or infinite", "output", "value"),
    ("run: ValueError: column 'a' is null", "model", "ValueError"),
    ("run: RuntimeError", "model", "RuntimeError"),
    ("assemble: ArrowInvalid: x", "model", "ArrowInvalid"),
]


@pytest.mark.parametrize(("reason", "stage", "kind"), REASONS)
def test_reasons(spark: SparkSession, reason: str, stage: str, kind: str) -> None:
    text = F.lit(reason)
    row = spark.range(1).select(stage_of(text).alias("stage"), kind_of(text).alias("kind")).first()
    assert row is not None
    assert (row["stage"], row["kind"]) == (stage, kind)
