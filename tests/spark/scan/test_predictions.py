"""The same predictions and reasons whoever reads the rows, for every kind of input."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.bundle import HashBuckets
from spark_infer.errors import ConfigError
from tests.spark.scan.same import as_texts, by_place, settings
from tests.spark.values.test_casts import CASES, echo_bundle


def texts(rows: DataFrame) -> list[str]:
    plain = by_place(rows).mapInArrow(as_texts, "row string")
    with settings(rows.sparkSession, codegen__wholeStage="false"):
        return sorted(row[0] for row in plain.collect())


def assert_equal(rows: DataFrame, bundle: si.Bundle, keep: Sequence[str], count: int) -> DataFrame:
    """Assert that both paths predict the same, and return what the workers' own reading gave."""
    direct = si.predict(rows, bundle, keep=keep, scan="direct")
    spark = si.predict(rows, bundle, keep=keep, scan="jvm")
    assert si.explain(direct).startswith("direct: ")
    assert si.explain(spark).startswith("jvm: ")
    assert direct.schema == spark.schema
    found, wanted = texts(direct), texts(spark)
    assert len(found) == len(wanted) == count
    wrong = [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]]
    assert not wrong
    return direct


@pytest.fixture
def corrected(spark: SparkSession) -> Any:
    with settings(spark, parquet__datetimeRebaseModeInRead="CORRECTED"):
        yield


@pytest.mark.nightly
@pytest.mark.usefixtures("corrected")
def test_every_kind_of_column_as_every_tensor(spark: SparkSession, tmp_path: Path) -> None:
    # Files have no columns that hold nothing.
    cases = [case for case in CASES if case.kind != "void"]
    columns = {name: column for case in cases for name, column in case.columns().items()}
    pq.write_table(pa.table({"id": range(60)} | columns), tmp_path / "t.parquet", row_group_size=25)
    bundle = echo_bundle(
        tmp_path / "bundle",
        [item for case in cases for item in case.inputs()],
        [output for case in cases for output in case.outputs()],
    )
    with settings(spark, session__timeZone="America/New_York"):
        rows = spark.read.parquet(str(tmp_path / "t.parquet"))
        assert_equal(rows, bundle, ["id"], 60)


INPUTS = [
    si.ScalarInput("small", columns=["small", si.Column("filled", nulls=7)], dtype="uint8"),
    si.ScalarInput("there", columns=[si.Column("real", nulls=0.5)], presence=True),
    si.ScalarInput("word", columns=["word"], vocabulary=("a", "b")),
    si.ScalarInput("number", columns=["number"], vocabulary=(3, 2**60), unknown_id=9),
    si.ScalarInput("shop", columns=["shop"], transform=HashBuckets(num_buckets=1000)),
    si.ArrayInput("image", column="image", shape=[2], transform=si.RawBytes()),
    si.ArrayInput("matrix", column="matrix", shape=[2, 2], null_items=-1),
    si.RaggedInput("words", column="words", vocabulary=("x", "y"), nulls="empty"),
    si.RaggedInput("short", column="numbers", max_length=3, overflow="keep_last", null_items=0),
    si.RaggedInput("long", column="longer", max_length=4, overflow="reject", null_items=0),
    si.RaggedInput("pairs", column="pairs", shape=[2]),
    si.RaggedInput("structs", column="structs", fields=["q", "p"]),
]
GOOD: dict[str, Any] = {
    "small": 1,
    "filled": None,
    "real": Decimal("2.5"),
    "word": "b",
    "number": 2**60,
    "shop": "s",
    "image": b"\0" * 8,
    "matrix": [[1.0, None], [3.0, 4.0]],
    "words": ["y", "other"],
    "numbers": [1.0, 2.0, 3.0, 4.0],
    "longer": [5.0],
    "pairs": [[1, 2], [3, 4]],
    "structs": [{"p": 1, "q": 2.5}],
}
TYPES = {
    "small": pa.int64(),
    "filled": pa.int16(),
    "real": pa.decimal128(9, 3),
    "word": pa.dictionary(pa.int8(), pa.string()),
    "number": pa.int64(),
    "shop": pa.large_string(),
    "image": pa.large_binary(),
    "matrix": pa.list_(pa.large_list(pa.float64())),
    "words": pa.large_list(pa.string()),
    "numbers": pa.list_(pa.float32()),
    "longer": pa.list_(pa.float64()),
    "pairs": pa.list_(pa.list_(pa.int32())),
    "structs": pa.list_(pa.struct({"p": pa.int32(), "q": pa.float64()})),
}
CHANGES: list[dict[str, Any]] = [
    {},
    {"small": None},
    {"small": 256},
    {"small": -1},
    {"filled": 300},
    {"real": None},
    {"word": None},
    {"word": "z"},
    {"number": None},
    {"number": 4},
    {"shop": None},
    {"image": b"123"},
    {"image": None},
    {"matrix": None},
    {"matrix": [[1.0, 2.0]]},
    {"matrix": [[1.0, 2.0], None]},
    {"words": None},
    {"words": []},
    {"words": ["x", None]},
    {"numbers": None},
    {"numbers": [1.0] * 5},
    {"longer": [1.0] * 5},
    {"numbers": [None]},
    {"pairs": [[1]]},
    {"pairs": [None]},
    {"pairs": None},
    {"structs": [None]},
    {"structs": [{"p": None, "q": 1.0}]},
    {"structs": []},
    {"small": 300, "word": None},
]


class Sums(torch.nn.Module):
    """A weighted sum of whatever there is, so that nothing can take another's place."""

    def forward(
        self,
        small: Any,
        there: Any,
        there_present: Any,
        word: Any,
        number: Any,
        shop: Any,
        image: Any,
        matrix: Any,
        words: Any,
        words_mask: Any,
        short: Any,
        short_mask: Any,
        long: Any,
        long_mask: Any,
        pairs: Any,
        pairs_mask: Any,
        structs: Any,
        structs_mask: Any,
    ) -> Any:
        rows = [small, there, there_present, word, number, shop, image, matrix.flatten(1)]
        total = sum(10.0**at * part.double().sum(1) for at, part in enumerate(rows))
        total = total + 0.1 * (words.double() * words_mask).sum(1)
        total = total + 0.01 * (short.double() * short_mask).sum(1)
        total = total + 0.003 * (long.double() * long_mask).sum(1)
        total = total + 0.0007 * (pairs.double().sum(2) * pairs_mask).sum(1)
        weights = torch.tensor([1.0, 3.0], dtype=torch.float64)
        return total + 1e-5 * ((structs.double() * weights).sum(2) * structs_mask).sum(1)


def test_rows_that_are_rejected_and_their_reasons(spark: SparkSession, tmp_path: Path) -> None:
    rows = [GOOD | change for change in CHANGES]
    columns = {
        name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()
    } | {"id": pa.array(range(len(rows)))}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=10)
    signature = si.Signature(inputs=INPUTS, outputs=[si.Output("y", dtype="float64")])
    bundle = si.save_bundle(tmp_path / "bundle", Sums(), signature=signature)
    df = spark.read.parquet(str(tmp_path / "t.parquet"))
    direct = assert_equal(df, bundle, ["id", "numbers", "structs", "word"], len(rows))
    reasons = {row["id"]: row["rejected_reason"] for row in direct.collect()}
    assert reasons[0] is None
    assert reasons[1] == "column 'small' is null"
    assert reasons[2] == "column 'small' holds a value outside 0..255"
    assert sum(reason is not None for reason in reasons.values()) > len(rows) // 2


@pytest.fixture
def stored(spark: SparkSession, tmp_path: Path) -> DataFrame:
    """Rows of the bundle ``mixture`` in a partitioned table."""
    rows = [(n, float(n), None if n % 3 else n, ["x", "z"][: n % 3], n % 2) for n in range(20)]
    schema = "id int, a double, b int, w array<string>, p int"
    df = spark.createDataFrame(rows, schema)
    df.write.partitionBy("p").parquet(str(tmp_path / "t"))
    return spark.read.parquet(str(tmp_path / "t"))


def test_kept_columns_and_conditions(stored: DataFrame, mixture: si.Bundle) -> None:
    assert_equal(stored, mixture, ["p", "id", "w", "b"], 20)
    assert_equal(stored.filter("p = 1 AND id > 3"), mixture, ["id"], 8)
    assert_equal(stored.withColumnRenamed("id", "a.b"), mixture, ["a.b"], 20)
    assert_equal(stored.filter("id > 100"), mixture, ["id"], 0)
    assert_equal(stored, mixture, [], 20)


def test_spark_reads_where_the_workers_cannot(stored: DataFrame, mixture: si.Bundle) -> None:
    sampled = stored.filter("id % 2 = 0")
    scored = si.predict(sampled, mixture, keep=["id"])
    assert si.explain(scored).startswith("jvm: the filter ((id % 2) = 0) is more than")
    assert scored.count() == 10
    with pytest.raises(ConfigError, match="scan 'direct' cannot be: the filter"):
        si.predict(sampled, mixture, keep=["id"], scan="direct")


def test_features_are_computed_by_spark(
    spark: SparkSession, tmp_path: Path, linear: si.Bundle
) -> None:
    spark.sql("SELECT id, id / 2 AS a, id AS b FROM range(5)").write.parquet(str(tmp_path / "t"))
    scored = si.predict(spark.read.parquet(str(tmp_path / "t")), linear, keep=["id"])
    assert si.explain(scored).startswith("jvm: Spark computes ")
    assert sorted(row["score"] for row in scored.collect()) == [20.5 * n for n in range(5)]


def test_a_file_that_was_replaced_stops_the_query(
    stored: DataFrame, mixture: si.Bundle, tmp_path: Path
) -> None:
    scored = si.predict(stored, mixture, keep=["id"])
    assert si.explain(scored).startswith("direct: ")
    for file in (tmp_path / "t").rglob("*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).slice(1), file)
    with pytest.raises(Exception, match="was replaced or removed after the read was planned"):
        scored.collect()
