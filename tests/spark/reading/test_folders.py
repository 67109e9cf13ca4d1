"""Folders of files whose names Spark would read as other values, or which it would leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import read_source

pytestmark = pytest.mark.one_spark


def write(spark: SparkSession, folder: Path, values: list[str]) -> None:
    rows = [(value, number) for number, value in enumerate(values)]
    spark.createDataFrame(rows, "g string, id bigint").write.partitionBy("g").parquet(str(folder))


def read(spark: SparkSession, folder: Path, **section: Any) -> DataFrame:
    return read_source(spark, SourceConfig.model_validate({"path": str(folder), **section}), {})


@pytest.mark.parametrize(
    "values",
    [
        ["007", "8"],
        ["5d", "8"],
        ["1.10", "2.5"],
        ["1e5", "2"],
        ["NaN", "1"],
        ["-0", "1"],
        ["+7", "1"],
        ["3f", "1.5"],
        ["0.1234567890123456789", "1"],
        ["08:00", "20:00"],
        ["2018-8-8", "2018-08-09"],
    ],
    ids=str,
)
def test_a_name_that_would_be_another_value_is_refused(
    spark: SparkSession, tmp_path: Path, values: list[str]
) -> None:
    write(spark, tmp_path / "f", values)
    texts = sorted(
        row.g for row in read(spark, tmp_path / "f", schema="g STRING, id BIGINT").collect()
    )
    assert texts == sorted(values)
    inferred = dict(spark.read.parquet(str(tmp_path / "f")).dtypes)["g"]
    if inferred == "string":
        assert sorted(row.g for row in read(spark, tmp_path / "f").collect()) == texts
    else:
        with pytest.raises(WarehouseError, match=r"folder 'g=.* g as STRING there, or name"):
            read(spark, tmp_path / "f")


@pytest.mark.parametrize(
    "values",
    [
        ["7", "-8", "0"],
        ["1.5", "2", "3.0"],
        ["2018-08-08", "2018-12-31"],
        ["2018-08-08 10:00:00", "2018-08-08 10:00:00.5"],
        ["12345678901234567890", "1"],
        ["007", "x"],
        ["a b", "ü/%"],
    ],
    ids=str,
)
def test_a_name_that_says_its_value_is_read(
    spark: SparkSession, tmp_path: Path, values: list[str]
) -> None:
    write(spark, tmp_path / "f", values)
    found = read(spark, tmp_path / "f").select("id", "g").collect()
    assert sorted(row.id for row in found) == list(range(len(values)))
    if "x" in values:
        assert {row.g for row in found} == set(values)


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("DECIMAL(10,2)", ["1.5", "7", "1.239", "1E+1", "12345678901.25"], {"1.25": "1.25"}),
        ("DECIMAL(20,0)", ["1.0"], {"7": "7"}),
        ("TINYINT", ["200", "-129"], {"-128": "-128", "007": "7"}),
        ("SMALLINT", ["40000"], {"+5": "5"}),
        ("DATE", ["2018-08-08 junk", "2018-08-08T10"], {"2018-8-8": "2018-08-08"}),
        ("TIMESTAMP", ["10:00", "T12"], {"2018-08-08 10:00:00": "2018-08-08 10:00:00"}),
        ("TIMESTAMP_NTZ", ["2018-08-08 10:00:00+05:00"], {"2018-08-08": "2018-08-08 00:00:00"}),
        ("BINARY", ["a:b"], {"a b": "a b"}),
    ],
)
def test_a_name_that_is_another_value_of_the_declared_type_is_refused(
    spark: SparkSession, tmp_path: Path, kind: str, wrong: list[str], right: dict[str, str]
) -> None:
    schema = f"id BIGINT, G {kind}"
    for number, value in enumerate(wrong):
        write(spark, tmp_path / f"f{number}", [value])
        with pytest.raises(WarehouseError, match=r"folder 'g=.* as STRING in source.schema and"):
            read(spark, tmp_path / f"f{number}", schema=schema)
    write(spark, tmp_path / "right", [*right])
    rows = read(spark, tmp_path / "right", schema=schema).selectExpr("cast(G AS string) g")
    assert {row.g for row in rows.collect()} == set(right.values())


def test_the_session_may_take_all_names_as_text(spark: SparkSession, tmp_path: Path) -> None:
    write(spark, tmp_path / "f", ["007", "8"])
    setting = "spark.sql.sources.partitionColumnTypeInference.enabled"
    spark.conf.set(setting, "false")
    try:
        assert {row.g for row in read(spark, tmp_path / "f").collect()} == {"007", "8"}
    finally:
        spark.conf.unset(setting)


@pytest.mark.parametrize("form", ["parquet", "json"])
@pytest.mark.parametrize("inner", ["2018/08", "x", "day=1"])
def test_files_of_folders_that_spark_leaves_out_are_asked_about(
    spark: SparkSession, tmp_path: Path, form: str, inner: str
) -> None:
    folder = tmp_path / "f"
    spark.range(1).write.format(form).save(str(folder))
    spark.range(1, 3).write.format(form).save(str(folder / inner))
    with pytest.raises(WarehouseError, match=r"does not read \S+/part-\S+, since .*; set recu"):
        read(spark, folder, format=form)
    for told, count in (("true", 3), ("false", None)):
        options = {"recursiveFileLookup": told}
        df = read(spark, folder, format=form, options=options)
        assert count is None or df.count() == count


def test_hidden_folders_and_single_files_are_no_matter(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    spark.range(2).coalesce(1).write.parquet(str(folder))
    spark.range(1).write.parquet(str(folder / "_old"))
    assert read(spark, folder).count() == 2
    (file,) = folder.glob("*.parquet")
    assert read(spark, file).count() == 2
