"""CSV as people have it: headers, types and what is said where they are missing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError, SignatureError, SparkInferError, WarehouseError
from spark_infer.spark.features import with_bundle_features, with_features
from spark_infer.spark.names import Names
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.jobfile.document import parse
from spark_infer.warehouse.reading.source import read_source
from spark_infer.warehouse.rows.keys import check_keys


@pytest.fixture
def read(spark: SparkSession, tmp_path: Path) -> Any:
    """Reads a CSV file as a job file's source section says."""
    path = tmp_path / "rows.csv"
    path.write_text("id,amount,day\n1,1.5,2020-01-01\n2,2.5,2020-01-02\n")

    def source(more: str) -> DataFrame:
        text = f"{{path: {path}, format: csv, {more}}}"
        return read_source(spark, SourceConfig.model_validate(parse(text)), {})

    return source


def test_options_are_given_to_spark_as_they_are_written(read: Any) -> None:
    df = read("options: {header: true, inferSchema: True, samplingRatio: 0.5}")
    assert df.dtypes == [("id", "int"), ("amount", "double"), ("day", "date")]
    assert read("options: {header: false}").count() == 3
    assert read("options: {header: 'TRUE', maxColumns: 3}").count() == 2


def test_columns_are_those_of_the_schema(read: Any) -> None:
    df = read("options: {header: true}, schema: 'id BIGINT, amount FLOAT NOT NULL, `day` DATE'")
    assert df.dtypes == [("id", "bigint"), ("amount", "float"), ("day", "date")]
    assert [tuple(row) for row in df.collect()] == [
        (1, 1.5, dt.date(2020, 1, 1)),
        (2, 2.5, dt.date(2020, 1, 2)),
    ]
    assert read("schema: 'a STRING, b STRING', filter: a > '1'").columns == ["a", "b"]


@pytest.mark.parametrize(
    "schema", ["id INT, amount DOUBEL", "id INT amount", "id", "id INT,", "CREATE TABLE t", "''"]
)
def test_a_schema_that_is_no_sql(read: Any, schema: str) -> None:
    with pytest.raises(ConfigError, match=r"source\.schema .*: .*such as: id BIGINT") as caught:
        read(f"schema: '{schema}'" if schema != "''" else "schema: ' '")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", ["{header: maybe}", "{inferSchema: true, samplingRatio: x}", "{mode: 5, sep: ''}"]
)
def test_an_option_that_spark_does_not_take(read: Any, options: str) -> None:
    with pytest.raises(SparkInferError) as caught:
        read(f"options: {options}").collect()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, (WarehouseError, ConfigError))


HINT = "the columns are called _c0, _c1 and so on.*set the option header to true"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    item = si.ScalarInput("x", columns=["amount", "id"])
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    path = tmp_path_factory.mktemp("bundles") / "b"
    return si.save_bundle(path, torch.nn.Linear(2, 1), signature=signature)


def test_a_file_without_a_header_is_recognized_wherever_a_column_is_missing(
    spark: SparkSession, read: Any, bundle: si.Bundle
) -> None:
    df = read("")
    with pytest.raises(SignatureError, match=f"columns 'amount', 'id' are missing; {HINT}"):
        si.predict(df, bundle)
    with pytest.raises(ConfigError, match=f"key: column 'id' is missing; {HINT}"):
        Names.of_session(spark).one("id", df.columns, where="key")
    with pytest.raises(ConfigError, match=rf"source\.filter \(day > '2020'\): .*{HINT}"):
        read("filter: day > '2020'")
    with pytest.raises(SignatureError, match=f"the source has no column 'amount'; {HINT}"):
        with_bundle_features(df, {"x": "log(amount)"})
    with pytest.raises(SignatureError, match=f"feature 'x' .*{HINT}"):
        with_features(df, {"x": "log(amount)"})


def test_columns_that_are_all_strings_are_recognized(read: Any, bundle: si.Bundle) -> None:
    with pytest.raises(SignatureError, match="CSV files read without inferSchema or a schema"):
        si.predict(read("options: {header: true}"), bundle)
    typed = read("options: {header: true}, schema: 'id INT, amount DOUBLE, day DATE'")
    assert si.predict(typed, bundle, keep=["id"]).where("y IS NULL").count() == 0


def test_few_of_many_bad_keys_are_shown(spark: SparkSession) -> None:
    rows = spark.range(0, 20_000).selectExpr("id % 10000 AS k", "IF(id % 4 = 0, NULL, id) AS n")
    with pytest.raises(WarehouseError, match=r"10000 value\(s\) stand in several rows") as caught:
        check_keys(rows, ["k"])
    assert str(caught.value).count("row(s)") == 3
    with pytest.raises(WarehouseError, match=r"2500 hold a null \(k=\d+, n=None: 2 row\(s\);"):
        check_keys(rows, ["k", "n"])
