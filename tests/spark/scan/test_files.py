"""Files that are empty, hidden, encrypted, no Parquet, or others than when the read was planned."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from tests.spark.scan.same import assert_refused, assert_same, read_direct, refused


def write(path: Path, *groups: list[int]) -> None:
    """Write a file of one column with these row groups."""
    with pq.ParquetWriter(path, pa.schema({"a": pa.int64()})) as writer:
        for values in groups:
            writer.write_table(pa.table({"a": pa.array(values, pa.int64())}))


def test_files_without_rows(spark: SparkSession, tmp_path: Path) -> None:
    cases: dict[str, list[list[list[int]]]] = {
        "no rows": [[[]]],
        "no row groups": [[]],
        "both": [[[]], []],
        "some": [[], [[], [1], [], [2, 3], []], [[4]]],
        "one row": [[[1]]],
    }
    frames = {}
    for name, files in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        for number, groups in enumerate(files):
            write(folder / f"{number}.parquet", *groups)
        frames[name] = spark.read.parquet(str(folder))
        frames[f"{name}, missing"] = spark.read.schema("b int, a bigint").parquet(str(folder))
    (tmp_path / "empty").mkdir()
    frames["no files"] = spark.read.schema("a bigint").parquet(str(tmp_path / "empty"))
    counts = assert_same(frames)
    assert counts["some"] == counts["some, missing"] == 4
    assert counts["no files"] == counts["both"] == 0


def test_files_that_spark_does_not_list(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [1, 2])
    write(tmp_path / "other.data", [3])
    for name in ("_hidden.parquet", ".hidden.parquet", "x._COPYING_"):
        (tmp_path / name).write_text("no Parquet")
    (tmp_path / "nothing.parquet").touch()
    path = str(tmp_path)
    counts = assert_same(
        {
            "hidden": spark.read.parquet(path),
            "pattern": spark.read.option("pathGlobFilter", "*.parquet").parquet(path),
            "later": spark.read.option("modifiedBefore", "2000-01-01T00:00:00")
            .schema("a bigint")
            .parquet(path),
            "twice": spark.read.parquet(f"{path}/a.parquet", f"{path}/a.parquet"),
        }
    )
    assert counts == {"hidden": 3, "pattern": 2, "later": 0, "twice": counts["twice"]}


def test_files_that_cannot_be_read(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "whole", list(range(1000)))
    whole = (tmp_path / "whole").read_bytes()
    broken = {
        "text": (b"no Parquet", "cannot read .*/text: Parquet magic"),
        "short": (b"PAR1", "cannot read .*/short"),
        "truncated": (whole[:-10], "cannot read .*/truncated"),
        "no start": (whole[-8:], "cannot read"),
        "no footer": (whole[:200] + b"\xff" * 200 + whole[-8:], "cannot read"),
    }
    frames = {}
    for name, (content, reason) in broken.items():
        (tmp_path / name).write_bytes(content)
        df = spark.read.schema("a bigint").parquet(str(tmp_path / name), str(tmp_path / "whole"))
        frames[name] = df, reason
    assert_refused(frames)


@pytest.mark.parametrize("plaintext", [True, False])
def test_encrypted_files(spark: SparkSession, tmp_path: Path, plaintext: bool) -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):  # type: ignore[misc, name-defined]
        def wrap_key(self, key: bytes, name: str) -> bytes:
            return base64.b64encode(key)

    options = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"column": ["secret"]}, plaintext_footer=plaintext
    )
    connection = encryption.KmsConnectionConfig()
    properties = encryption.CryptoFactory(lambda _: Keys()).file_encryption_properties(
        connection, options
    )
    schema = pa.schema({"secret": pa.int64(), "open": pa.int64()})
    path = tmp_path / "t.parquet"
    with pq.ParquetWriter(path, schema, encryption_properties=properties) as writer:
        writer.write_table(pa.table({"secret": [1], "open": [2]}))
    df = spark.read.schema("secret bigint, open bigint").parquet(str(path))
    reason = "columns of it are encrypted" if plaintext else "cannot read .* encrypted"
    assert_refused({name: (df.select(name), reason) for name in df.columns})


def test_a_footer_that_is_longer_than_most(spark: SparkSession, tmp_path: Path) -> None:
    columns = {f"column {'x' * 100} {number}": [number] for number in range(1000)}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size > 3 * (64 << 10)
    df = spark.read.parquet(str(tmp_path / "t.parquet"))
    assert_same({"two": df.select(df.columns[3], df.columns[999])})


def overwrite(path: Path) -> None:
    write(path, list(range(100, 110)))


def replace(path: Path) -> None:
    write(path.with_name("_new"), list(range(100, 110)))
    path.with_name("_new").replace(path)


def lengthen(path: Path) -> None:
    write(path, list(range(1000)))


def truncate(path: Path) -> None:
    os.truncate(path, 50)


@pytest.mark.parametrize("change", [overwrite, replace, lengthen, truncate, Path.unlink])
def test_a_file_that_changes_after_the_read_is_planned(
    spark: SparkSession, tmp_path: Path, change: Callable[[Any], None]
) -> None:
    write(tmp_path / "0.parquet", list(range(10)))
    write(tmp_path / "1.parquet", list(range(10, 20)))
    rows = read_direct(spark.read.parquet(str(tmp_path)))
    change(tmp_path / "1.parquet")
    with pytest.raises(PythonException, match=r"WarehouseError: file .*1\.parquet was replaced"):
        rows.collect()


def test_a_file_that_is_added_after_the_read_is_planned(
    spark: SparkSession, tmp_path: Path
) -> None:
    write(tmp_path / "0.parquet", [1, 2])
    df = spark.read.parquet(str(tmp_path))
    rows = read_direct(df)
    write(tmp_path / "1.parquet", [3])
    assert sorted(rows.collect()) == sorted(df.collect()) == [(1,), (2,)]


def test_a_file_that_changes_before_the_read_is_planned(
    spark: SparkSession, tmp_path: Path
) -> None:
    write(tmp_path / "x", [1, 2, 3])
    df = spark.read.parquet(str(tmp_path / "x"))
    lengthen(tmp_path / "x")
    refused(df, "it is not as long as it was when Spark listed it .*/x")
    (tmp_path / "x").unlink()
    refused(df, "it is not as long as it was when Spark listed it .*/x")
