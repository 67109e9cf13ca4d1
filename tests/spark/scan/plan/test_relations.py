"""What Spark knows of a prediction by the files that it reads: their table and their size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import WarehouseError
from tests.spark.scan.same import assert_same, refused, settings

OVERWRITTEN = r"UNSUPPORTED_OVERWRITE|also being read|read from"


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 2.0)
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    return si.save_bundle(tmp_path_factory.mktemp("b") / "double", model, signature=signature)


@pytest.fixture
def own(spark: SparkSession) -> Iterator[DataFrame]:
    spark.sql("CREATE TABLE own USING parquet AS SELECT id, float(id) a FROM range(20)")
    yield spark.table("own")
    spark.sql("DROP TABLE IF EXISTS own")


def test_a_table_is_not_overwritten_while_it_is_read(
    spark: SparkSession, own: DataFrame, double: si.Bundle
) -> None:
    predicted = si.predict(own, double, keep=["id"], scan="direct").select("id", "score")
    with pytest.raises(AnalysisException, match=OVERWRITTEN):
        predicted.write.mode("overwrite").saveAsTable("own")
    with pytest.raises(AnalysisException, match=OVERWRITTEN):
        predicted.write.insertInto("own", overwrite=True)
    predicted.createOrReplaceTempView("scored_own")
    with pytest.raises(AnalysisException, match=OVERWRITTEN):
        spark.sql("INSERT OVERWRITE own SELECT id, score FROM scored_own")
    assert spark.table("own").count() == 20
    predicted.write.insertInto("own")
    assert spark.table("own").count() == 40


def test_spark_knows_how_large_a_prediction_is(
    spark: SparkSession, double: si.Bundle, tmp_path: Path
) -> None:
    path = str(tmp_path / "t")
    spark.range(0, 50_000, 1, 4).selectExpr("id", "float(id) a").write.parquet(path)
    df = spark.read.parquet(path)
    predicted = si.predict(df, double, keep=["id"], scan="direct")
    size = predicted._jdf.queryExecution().optimizedPlan().stats().sizeInBytes()
    # Eight bytes a row at least, so that Spark sends no large table to all executors for a join.
    assert 50_000 * 8 <= int(str(size)) <= 50_000 * 100
    assert predicted.count() == 50_000
    empty = si.predict(df.where("id < 0"), double, keep=["id"], scan="direct")
    assert empty.count() == 0


def test_a_cached_prediction_does_not_outlive_its_files(
    spark: SparkSession, own: DataFrame, double: si.Bundle
) -> None:
    predicted = si.predict(own, double, keep=["id"], scan="direct").cache()
    try:
        assert predicted.count() == 20
        spark.sql("INSERT OVERWRITE own SELECT id, float(id) FROM range(5)")
        with pytest.raises(Exception, match="was replaced or removed after the read was planned"):
            predicted.count()
    finally:
        predicted.unpersist()


def test_a_damaged_page_is_not_read(spark: SparkSession, double: si.Bundle, tmp_path: Path) -> None:
    path = tmp_path / "t"
    rows = spark.range(0, 2_000, 1, 1).selectExpr("id", "float(id) a")
    rows.write.option("compression", "none").parquet(str(path))
    (file,) = path.glob("*.parquet")
    content = bytearray(file.read_bytes())
    at = content.index(pa.array([1000.0], pa.float32()).buffers()[1].to_pybytes())
    content[at] ^= 1
    predicted = si.predict(spark.read.parquet(str(path)), double, keep=["id"], scan="direct")
    file.write_bytes(content)
    fresh = si.predict(spark.read.parquet(str(path)), double, keep=["id"], scan="direct")
    for damaged in (predicted, fresh):
        with pytest.raises(Exception, match=r"(?i)was replaced|crc|checksum"):
            damaged.collect()


def test_types_of_files_that_python_has_classes_for(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t.parquet")
    storage = pa.array([0, 1, 2, -1], pa.int8())
    pq.write_table(pa.table({"id": range(4), "b": storage}), path)
    df = spark.read.parquet(path)
    assert assert_same({"int8": df}) == {"int8": 4}
    if not hasattr(pa, "bool8"):
        return
    pq.write_table(
        pa.table({"id": range(4), "b": pa.ExtensionArray.from_storage(pa.bool8(), storage)}), path
    )
    refused(spark.read.parquet(path), "column 'b' is tinyint in Spark and .*bool8")


def test_a_user_defined_type_is_not_imported(
    spark: SparkSession, double: si.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class that a file names is somebody else's code."""
    (tmp_path / "planted_udt.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "t"
    spark.range(0, 4, 1, 1).selectExpr("id", "float(id) a", "array(id) point").write.parquet(
        str(path)
    )
    (file,) = path.glob("*.parquet")
    table = pq.read_table(file)
    key = b"org.apache.spark.sql.parquet.row.metadata"
    udt = (
        b'{"type":"udt","pyClass":"planted_udt.Point","serializedClass":"gA==",'
        b'"sqlType":{"type":"array","elementType":"long","containsNull":false}}'
    )
    said = table.schema.metadata[key]
    start = said.index(b'{"type":"array"')
    end = said.index(b"}", start) + 1
    changed = {**table.schema.metadata, key: said[:start] + udt + said[end:]}
    pq.write_table(table.replace_schema_metadata(changed), file)
    (path / f".{file.name}.crc").unlink()
    df = spark.read.parquet(str(path)).select("id", "a")
    for scan in ("direct", "jvm"):
        predicted = si.predict(df, double, keep=["id"], scan=scan)  # type: ignore[arg-type]
        assert sorted(row.score for row in predicted.collect()) == [0.0, 2.0, 4.0, 6.0]


def test_text_that_is_no_utf_8(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    spark.range(3).selectExpr("id", "string(id) s").write.parquet(path)
    df = spark.read.parquet(path)
    refused(df.selectExpr("id", "CAST(X'FF' AS STRING) k"), "a constant is text that is no UTF-8")
    refused(df.where("s = CAST(X'FF' AS STRING)"), "text that is no UTF-8")


def test_files_that_spark_reads_in_another_way_are_refused(
    spark: SparkSession, double: si.Bundle, tmp_path: Path
) -> None:
    path = str(tmp_path / "t")
    spark.range(3).selectExpr("id", "int(id * 300) a").write.parquet(path)
    with settings(spark, sources__useV1SourceList=""):
        df = spark.read.schema("id long, a tinyint").parquet(path)
        with pytest.raises(WarehouseError, match=r"leave spark\.sql\.sources\.useV1SourceList"):
            si.predict(df, double, keep=["id"])
