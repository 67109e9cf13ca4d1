"""Files that the workers write: as Spark would have written them, each row once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, Row
from pyspark.sql.types import StructType

import spark_infer as si
from spark_infer.errors import WarehouseError
from spark_infer.spark.written.parquet import _LEAST_PYARROW
from spark_infer.warehouse.rows import checked
from spark_infer.warehouse.sinks.files.by_workers import ByWorkers

pytestmark = pytest.mark.skipif(
    int(pa.__version__.partition(".")[0]) < _LEAST_PYARROW, reason="the workers do not write"
)

KEPT = {
    "small": "CAST(id AS TINYINT)",
    "short": "CAST(-id AS SMALLINT)",
    "large": "id * 9007199254740993L",
    "flag": "id % 2 = 0",
    "single": "CAST(CASE id WHEN 1 THEN 'NaN' WHEN 2 THEN '-0.0' ELSE '1e-40' END AS FLOAT)",
    "double": "CAST(if(id = 3, '-Infinity', '0.1') AS DOUBLE)",
    "price": "CAST(id * -1.05 AS DECIMAL(9, 2))",
    "sum": "CAST(id * 1234567890.123456789 AS DECIMAL(38, 9))",
    "text": "nullif(concat('é\\n', repeat('x', id * 100)), 'é\\nx')",
    "bytes": "unhex(if(id = 2, '00FF', ''))",
    "birth": "make_date(if(id = 1, 1969, 2100), 2, 28)",
    "at": "timestamp_micros(id * 1000001 - 2000002)",
    "list": "if(id = 2, null, array(null, id / 8, -0.0D))",
    "nested": "named_struct('a', array(named_struct('b', id)), 'C c', cast(null AS STRING))",
    "o'd`d.n=me": "id",
    "nothing": "CAST(null AS INT)",
}
LINEAGE = ("run_id", "scored_at")


def run_both(job: Any, **changes: Any) -> tuple[DataFrame, DataFrame, si.RunReport]:
    """Return what the workers wrote and what Spark did, without what differs by run."""
    target = {"keep": ["day"], **changes.pop("target", {})}
    found = {}
    for writer in ("auto", "jvm"):
        given = target | {"table": f"store.{writer}", "writer": writer}
        found[writer] = job.run(target=given, **changes)
    frames = [job.spark.table(f"store.{writer}").drop(*LINEAGE) for writer in ("auto", "jvm")]
    assert found["jvm"].writer == "jvm: it is asked for"
    assert found["auto"].rows_out == found["jvm"].rows_out
    assert found["auto"].rows_rejected == found["jvm"].rows_rejected
    return frames[0], frames[1], found["auto"]


def rows_of(df: DataFrame) -> list[str]:
    return sorted(map(repr, df.collect()))


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_every_type_comes_back(job: Any, zone: str) -> None:
    job.config["spark"] = {"spark.sql.session.timeZone": zone}
    workers, spark, report = run_both(
        job, source={"table": "store.tx"}, features=KEPT, target={"keep": ["day", *KEPT]}
    )
    assert report.writer == "workers"
    assert workers.schema == spark.schema
    assert rows_of(workers) == rows_of(spark)
    assert len(rows_of(workers)) == 3


def test_files_say_of_themselves_what_sparks_say(job: Any) -> None:
    run_both(job, features=KEPT, target={"keep": ["day", *KEPT]})
    files = {}
    for writer in ("auto", "jvm"):
        (path,) = job.location(writer).glob("_spark_infer/*/rows/*/*.parquet")
        files[writer] = pq.ParquetFile(path)
    ours, sparks = files["auto"], files["jvm"]
    assert ours.metadata.metadata.keys() == sparks.metadata.metadata.keys()
    version, schema = b"org.apache.spark.version", b"org.apache.spark.sql.parquet.row.metadata"
    assert ours.metadata.metadata[version] == sparks.metadata.metadata[version]
    assert types_of(ours.metadata.metadata[schema]) == types_of(sparks.metadata.metadata[schema])
    for one, other in zip(ours.schema, sparks.schema, strict=True):
        same = ("path", "physical_type", "max_repetition_level")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert one.logical_type.to_json() == other.logical_type.to_json()


def types_of(schema: bytes) -> dict[str, str]:
    fields = StructType.fromJson(json.loads(schema)).fields
    return {field.name: field.dataType.simpleString() for field in fields}


@pytest.mark.nightly
def test_rows_without_a_prediction_and_odd_partitions(job: Any) -> None:
    job.transactions(
        "1 2018-08-08 EU/US", "2 2018-08-08 a=b%", "3 2018-08-08 é '\"", "4 2018-08-09"
    )
    job.spark.sql("INSERT INTO store.tx VALUES (5, null, 0, DATE'2018-08-08', null)")
    target = {"partition_by": ["day", "region"], "keep": ["day", "region"]}
    workers, spark, report = run_both(job, target=target, batch={"max_rejected_share": 1.0})
    assert (report.writer, report.rows_out, report.rows_rejected) == ("workers", 4, 1)
    assert rows_of(workers) == rows_of(spark)
    names = [
        sorted(row[0] for row in job.spark.sql(f"SHOW PARTITIONS store.{name}").collect())
        for name in ("auto", "jvm")
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 4


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "part",
    [
        "id = 2",
        "CAST(nullif(id, 2) AS DECIMAL(12, 3))",
        "CAST(nullif(-id, -2) AS TINYINT)",
        "id * 9007199254740993L",
        "make_date(if(id = 1, 1, 9999), 2, 28)",
        "date_from_unix_date(if(id = 1, -800000, 2932897))",
        "CAST(null AS STRING)",
    ],
)
def test_partitions_of_every_type(job: Any, part: str) -> None:
    target = {"partition_by": ["day", "part"], "keep": ["day", "part"]}
    every = {"source": {"table": "store.tx"}}
    workers, spark, report = run_both(job, features={"part": part}, target=target, **every)
    assert report.writer == "workers"
    assert workers.schema == spark.schema
    # Python has no days before the year 1 or after 9999.
    frames = [df.withColumn("part", df["part"].cast("string")) for df in (workers, spark)]
    assert rows_of(frames[0]) == rows_of(frames[1])
    names = [
        sorted(row[0] for row in job.spark.sql(f"SHOW PARTITIONS store.{name}").collect())
        for name in ("auto", "jvm")
    ]
    assert names[0] == names[1]


def test_a_table_that_is_there_keeps_its_order_and_spelling(job: Any) -> None:
    for name in ("auto", "jvm"):
        job.spark.sql(
            f"CREATE TABLE store.{name} (Score FLOAT, rejected_reason STRING, RUN_ID STRING, "
            "ID INT, bundle_name STRING, bundle_digest STRING, scored_at TIMESTAMP, Day DATE) "
            "USING parquet OPTIONS (compression 'zstd') PARTITIONED BY (Day)"
        )
    workers, spark, report = run_both(job)
    assert report.writer == "workers"
    assert workers.schema == spark.schema
    assert rows_of(workers) == rows_of(spark)
    (file,) = job.location("auto").glob("_spark_infer/*/rows/*/*.parquet")
    found = pq.ParquetFile(file)
    assert found.schema_arrow.names[:2] == ["Score", "rejected_reason"]
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"


def test_what_the_workers_wrote_is_read_by_the_workers(job: Any, linear: si.Bundle) -> None:
    job.run(features={"c": "CAST(a AS DOUBLE)"}, target={"keep": ["day", "c"]})
    again = si.predict(
        job.spark.table("store.scores").selectExpr("id", "c AS a", "CAST(0 AS INT) AS b"),
        linear,
        keep=["id"],
        scan="direct",
    )
    assert [row["id"] for row in again.orderBy("id").collect()] == [1, 2]


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target": {"format": "orc"}}, "the table is of format orc"),
        (
            {"target": {"mode": "append", "partition_by": []}},
            "an append comes as one file for each partition",
        ),
        (
            {"spark": {"spark.sql.parquet.writeLegacyFormat": "true"}},
            "spark.sql.parquet.writeLegacyFormat is TRUE",
        ),
        (
            {"spark": {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MILLIS"}},
            "spark.sql.parquet.outputTimestampType is TIMESTAMP_MILLIS",
        ),
        (
            {"spark": {"spark.sql.parquet.datetimeRebaseModeInWrite": "LEGACY"}},
            "spark.sql.parquet.datetimeRebaseModeInWrite is LEGACY",
        ),
        (
            {"spark": {"spark.sql.parquet.compression.codec": "lz4"}},
            "its files are compressed by lz4",
        ),
        (
            {"features": {"m": "map('a', id)"}, "target": {"keep": ["day", "m"]}},
            "a column is of type map<string,int>",
        ),
        (
            {
                "features": {"t": "timestamp_ntz'2018-08-08 00:00:00'"},
                "target": {"keep": ["day", "t"]},
            },
            "timestamps with and without a zone are stored in two ways",
        ),
    ],
)
def test_spark_writes_what_the_workers_would_write_otherwise(
    job: Any, changes: dict[str, Any], reason: str
) -> None:
    report = job.run(**changes)
    assert report.writer == f"jvm: {reason}"
    assert [row[0] for row in job.scores()] == [1, 2]


def test_files_of_attempts_that_nobody_waits_for_are_no_rows(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = ByWorkers._written

    def and_another(self: ByWorkers) -> list[Row]:
        found = written(self)
        folder = Path(self.layout.folder)
        (file,) = folder.iterdir()
        (folder / f"again-{file.name}").write_bytes(file.read_bytes())
        return found

    monkeypatch.setattr(ByWorkers, "_written", and_another)
    report = job.run()
    assert (report.writer, report.rows_out) == ("workers", 2)
    assert [row[0] for row in job.scores()] == [1, 2]
    assert not list(job.location().rglob("again-*"))


def test_files_that_the_driver_does_not_see_stop_the_run(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.run()
    before = job.scores()
    written = ByWorkers._written

    def and_lose(self: ByWorkers) -> list[Row]:
        found = written(self)
        for file in Path(self.layout.folder).iterdir():
            file.unlink()
        return found

    monkeypatch.setattr(ByWorkers, "_written", and_lose)
    with pytest.raises(WarehouseError, match=r"an executor wrote, is not there .*writer: jvm"):
        job.run()
    assert job.scores() == before


def test_a_run_whose_rows_fail_leaves_no_file(job: Any) -> None:
    job.run()
    before = job.scores()
    broken = {"a": "if(id = 2, double(raise_error('broken')), a)"}
    with pytest.raises(WarehouseError, match="broken"):
        job.run(features=broken)
    assert job.scores() == before
    assert len(list(job.location().rglob("*.parquet"))) == 1


def test_a_partition_that_would_not_come_back_stops_the_run(job: Any) -> None:
    job.transactions("1 2018-08-08 blank ")
    target = {"partition_by": ["day", "region"], "keep": ["day", "region"]}
    with pytest.raises(WarehouseError, match="ends in a blank"):
        job.run(target=target)


@pytest.mark.parametrize(
    ("key", "is_known"),
    [("id", True), ("CAST(id AS STRING)", False), ("CAST(id AS DECIMAL(9, 2))", False)],
)
def test_keys_that_grow_are_not_counted_again(
    job: Any, monkeypatch: pytest.MonkeyPatch, key: str, is_known: bool
) -> None:
    counted = []
    check = checked.check_keys
    monkeypatch.setattr(checked, "check_keys", lambda *given: counted.append(1) or check(*given))
    job.run(key=["k"], features={"k": key})
    assert job.spark.table("store.scores").count() == 2
    assert bool(counted) is not is_known


def test_a_key_that_comes_twice_is_found_whatever_the_order(job: Any) -> None:
    for key in ("1", "2 - id", "if(id = 1, 3, 3)"):
        with pytest.raises(WarehouseError, match="does not identify the rows"):
            job.run(key=["k"], features={"k": f"nullif({key}, 0)"})


def test_rows_that_are_gone_before_they_are_published_stop_the_run(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = ByWorkers.stage

    def and_lose(self: ByWorkers) -> Any:
        staged = stage(self)
        for file in Path(str(self.run.rows)).rglob("*.parquet"):
            file.unlink()
        return staged

    monkeypatch.setattr(ByWorkers, "stage", and_lose)
    with pytest.raises(WarehouseError, match=r"cannot be read back|of them are staged"):
        job.run()
    assert not job.spark.catalog.tableExists("store.scores")
