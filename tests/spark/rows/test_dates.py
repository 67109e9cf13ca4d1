"""Days and times in files of text, in notations that Spark's reader would guess at."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import read_source

pytestmark = pytest.mark.one_spark


def read(spark: SparkSession, folder: Path, form: str, text: str, kind: str) -> str:
    written = {
        "csv": f"1,{text}\n",
        "json": f'{{"id": 1, "a": "{text}"}}\n',
        "xml": f"<r><x><id>1</id><a>{text}</a></x></r>",
    }[form]
    (folder / f"x.{form}").write_text(written)
    section = {
        "path": str(folder),
        "format": form,
        "schema": f"id BIGINT, a {kind}",
        "options": {"rowTag": "x"},
    }
    df = read_source(spark, SourceConfig.model_validate(section), {})
    with spark_failures("the source cannot be read"):
        (row,) = df.select(F.col("a").cast("string")).collect()
    return str(row[0])


@pytest.mark.nightly_after(10)
@pytest.mark.parametrize("form", ["csv", "json", "xml"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("TIMESTAMP", "12:30:00"),
        ("TIMESTAMP", "T12:30"),
        ("TIMESTAMP", "2018"),
        ("TIMESTAMP", "2018-08-08 junk"),
        ("TIMESTAMP", "2018-02-30"),
        ("DATE", "20180808"),
        ("DATE", "17751"),
        ("DATE", "2018"),
        ("DATE", "2018-08-08 junk"),
        ("DATE", "2018-08-08T23:00:00-05:00"),
    ],
)
def test_another_notation_is_refused(
    spark: SparkSession, tmp_path: Path, form: str, kind: str, text: str
) -> None:
    if form == "xml" and spark.version < "4":
        pytest.skip("XML is built into Spark since 4.0")
    with pytest.raises(WarehouseError, match=r"holds a record that|PARSE_DATETIME_BY_NEW"):
        read(spark, tmp_path, form, text, kind)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("TIMESTAMP", "2018-08-08 10:00:00", "2018-08-08 10:00:00"),
        ("TIMESTAMP", "2018-08-08T10:00:00.5", "2018-08-08 10:00:00.5"),
        ("TIMESTAMP", "2018-08-08T10:00:00.123456Z", "2018-08-08 10:00:00.123456"),
        ("TIMESTAMP", "2018-08-08 10:00:00+02:00", "2018-08-08 08:00:00"),
        ("TIMESTAMP", "2018-08-08 10:00:00 Europe/Berlin", "2018-08-08 08:00:00"),
        ("TIMESTAMP", "2018-08-08 10:00", "2018-08-08 10:00:00"),
        ("TIMESTAMP", "2018-08-08", "2018-08-08 00:00:00"),
        ("DATE", "2018-08-08", "2018-08-08"),
        ("DATE", "2018-8-8", "2018-08-08"),
    ],
)
def test_days_and_times_are_read(
    spark: SparkSession, tmp_path: Path, form: str, kind: str, text: str, expected: str
) -> None:
    assert read(spark, tmp_path, form, text, kind) == expected


def test_the_operator_may_give_a_format(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,08/08/2018\n")
    section = {
        "path": str(tmp_path),
        "format": "csv",
        "schema": "id BIGINT, a DATE",
        "options": {"dateFormat": "dd/MM/yyyy"},
    }
    (row,) = read_source(spark, SourceConfig.model_validate(section), {}).collect()
    assert str(row.a) == "2018-08-08"
