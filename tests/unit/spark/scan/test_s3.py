"""Files on an S3-compatible server, opened as Hadoop is configured to open them."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pyspark")

from pyspark.sql.types import LongType, StringType

from spark_infer.errors import WarehouseError
from spark_infer.metrics import Metrics
from spark_infer.spark.scan.files.footers import Reading
from spark_infer.spark.scan.files.reader import Part, Reader
from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.plan.planned import File, Stored
from spark_infer.spark.scan.refused import NotDirect
from tests.s3 import Bucket

TABLE = pa.table({"id": range(10), "word": [f"w{number}" for number in range(10)]})
STORED = (Stored("word", StringType()), Stored("id", LongType()))


@pytest.fixture
def hadoop(bucket: Bucket) -> dict[str, Any]:
    """A configuration with another endpoint and key for all buckets but this one."""
    own = f"fs.s3a.bucket.{bucket.name}"
    return {
        "fs.s3a.endpoint": "http://127.0.0.1:9",
        "fs.s3a.access.key": "other",
        "fs.s3a.secret.key": "other",
        f"{own}.endpoint": f"http://127.0.0.1:{bucket.port}",
        f"{own}.access.key": "key",
        f"{own}.secret.key": "secret",
        f"{own}.path.style.access": "true",
    }


def put(bucket: Bucket, name: str, table: pa.Table = TABLE) -> File:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=4)
    content = sink.getvalue()
    bucket.put(name, content)
    return File("s3a", bucket.name, f"/{name}", len(content), ())


def reader_of(file: File, store: Store) -> Reader:
    (footer,) = Reading(STORED, False, {}).footers([file], {("s3a", file.authority): store})
    assert footer.fields == ("word", "id")
    assert [group.num_rows for group in footer.groups] == [4, 4, 2]
    path = store.path(file.authority, file.path)
    part = Part(path, store, footer.stamp, (0, 2), 6, 100, footer.fields)
    types = (pa.string(), pa.int64())
    return Reader((pickle.dumps([part]),), types, (), 2)


def test_rows_are_read(bucket: Bucket, hadoop: dict[str, Any]) -> None:
    store = Store.of("s3a", bucket.name, hadoop)
    file = put(bucket, "table/part 0=é.parquet")
    read = pa.Table.from_batches(reader_of(file, store).read(0, Metrics()))
    assert read.column(1).to_pylist() == [0, 1, 2, 3, 8, 9]
    assert read.column(0).to_pylist() == ["w0", "w1", "w2", "w3", "w8", "w9"]


def test_a_file_that_is_replaced_is_not_read(bucket: Bucket, hadoop: dict[str, Any]) -> None:
    store = Store.of("s3a", bucket.name, hadoop)
    reader = reader_of(put(bucket, "part.parquet"), store)
    put(bucket, "part.parquet", TABLE.append_column("more", [range(10)]))
    with pytest.raises(WarehouseError, match=r"part\.parquet was replaced or removed") as caught:
        list(reader.read(0, Metrics()))
    assert caught.value.transient


def test_a_file_of_another_size_than_listed(bucket: Bucket, hadoop: dict[str, Any]) -> None:
    store = Store.of("s3a", bucket.name, hadoop)
    file = put(bucket, "part.parquet")
    bucket.put("part.parquet", b"PAR1")
    with pytest.raises(NotDirect, match="it is not as long as it was when Spark listed it"):
        reader_of(file, store)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "no key for S3"),
        ({"fs.s3a.access.key": "k", "fs.s3a.secret.key": ""}, "no key for S3"),
        (
            {
                "fs.s3a.access.key": "k",
                "fs.s3a.secret.key": "s",
                "fs.s3a.aws.credentials.provider": "com.amazonaws.auth.InstanceProfile",
            },
            "logs in to S3 by InstanceProfile",
        ),
        (
            {
                "fs.s3a.access.key": "k",
                "fs.s3a.secret.key": "s",
                "fs.s3a.bucket.b.encryption.algorithm": "SSE-C",
            },
            r"fs\.s3a\.encryption\.algorithm is set",
        ),
    ],
)
def test_what_the_workers_do_not_know_is_spark_s(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(NotDirect, match=reason):
        Store.of("s3a", "b", settings)


def test_keys_do_not_show() -> None:
    store = Store.of("s3a", "b", {"fs.s3a.access.key": "k3y", "fs.s3a.secret.key": "s3cret"})
    assert "k3y" not in repr(store)
    assert "s3cret" not in repr(store)


@pytest.mark.parametrize("scheme", ["hdfs", "gs", "abfss", "dbfs", "s3"])
def test_other_file_systems_are_spark_s(scheme: str) -> None:
    with pytest.raises(NotDirect, match=f"the files are behind {scheme}://"):
        Store.of(scheme, "place", {})
