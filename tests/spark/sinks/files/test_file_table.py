"""What is known of the target before data is read, and what is looked at afterwards."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError, SparkInferError, WarehouseError

APPEND = {"mode": "append", "partition_by": []}

WRONG: list[tuple[dict[str, Any], type[SparkInferError], str]] = [
    ({"format": "csv"}, ConfigError, "'csv' does not give back"),
    ({"format": "JSON"}, ConfigError, "'JSON' does not give back"),
    ({"format": "text"}, ConfigError, "does not give back"),
    ({"format": "xml"}, ConfigError, "does not give back"),
    ({"format": "parqet"}, ConfigError, "did you mean 'parquet'"),
    ({"format": "noop"}, ConfigError, "is none of"),
    ({"format": "delta"}, ConfigError, "'delta' is not there: .*add its package"),
    ({"table": "a b.c"}, ConfigError, "'a b.c' must be"),
    ({"table": "store..scores"}, ConfigError, "must be"),
    ({"table": "store.sc'ores"}, ConfigError, "must be"),
    ({"table": "store.sc-ores"}, ConfigError, "must be"),
    ({"table": ""}, ConfigError, "must be"),
    ({"table": "store.`sc-ores`"}, ConfigError, "'sc-ores' must consist of"),
    ({"table": "a.b.c.d"}, ConfigError, "catalog 'a' is not there"),
    ({"table": "lake.store.scores"}, ConfigError, "catalog 'lake' is not there"),
    ({"table": "spark_catalog.a.b.c"}, ConfigError, "stands in one database"),
    ({"table": f"store.{'a' * 232}"}, ConfigError, "too long a name for the lock"),
    ({"table": f"store.{'a' * 1000}"}, ConfigError, "too long a name for the lock"),
    ({"table": "nowhere.scores"}, WarehouseError, "CREATE DATABASE nowhere"),
    ({"table": "spark_catalog.nowhere.scores"}, WarehouseError, "CREATE DATABASE nowhere"),
    ({"keep": ["a", "day"], "partition_by": ["a"]}, ConfigError, "column 'a' is double"),
    ({"keep": [".p"], "partition_by": [".p"]}, ConfigError, "column '.p' .* hidden"),
]


@pytest.mark.nightly_after(10)
@pytest.mark.parametrize(("target", "kind", "message"), WRONG)
def test_what_cannot_be_a_target_is_told_before_data_is_read(
    job: Any, target: dict[str, Any], kind: type[SparkInferError], message: str
) -> None:
    # The source cannot be read to its end.
    broken = {"table": "store.tx", "filter": "day = :date AND raise_error('read') IS NULL"}
    with pytest.raises(kind, match=message):
        job.run(source=broken, target=target, features={".p": "region"})


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("cast(a AS FLOAT)", "float"),
        ("cast(day AS TIMESTAMP)", "timestamp"),
        ("cast(day AS TIMESTAMP_NTZ)", "timestamp_ntz"),
        ("cast(region AS BINARY)", "binary"),
        ("array(region)", "array"),
        ("make_dt_interval(b)", "interval"),
    ],
)
def test_partitions_of_types_that_text_does_not_hold_are_refused(
    job: Any, expression: str, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"column 'p' is {name}.*partitions are kept as text"):
        job.run(features={"p": expression}, target={"keep": ["p"], "partition_by": ["p"]})


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("TABLE store.scores (id INT) USING csv", "'csv', which is not known to give back"),
        ("TABLE store.scores (id INT) USING json", "'json', which is not known"),
        ("VIEW store.scores AS SELECT 1 AS id", "is a view"),
        ("TEMPORARY VIEW scores AS SELECT 1 AS id", "is a view"),
    ],
)
def test_a_target_of_another_kind_is_refused(job: Any, definition: str, message: str) -> None:
    job.spark.sql(f"CREATE {definition}")
    name = "scores" if "TEMPORARY" in definition else "store.scores"
    try:
        with pytest.raises(WarehouseError, match=message):
            job.run(target={"table": name})
    finally:
        job.spark.catalog.dropTempView("scores")


def test_a_char_column_pads_its_values_and_is_refused(job: Any) -> None:
    target = APPEND | {"keep": []}
    job.run(target=target, key=["id", "region"])
    columns = job.spark.table("store.scores").schema
    job.spark.sql("DROP TABLE store.scores")
    described = ", ".join(f"{f.name} {f.dataType.simpleString()}" for f in columns)
    padded = described.replace("region string", "region char(9)")
    job.spark.sql(f"CREATE TABLE store.scores ({padded}) USING parquet")
    with pytest.raises(WarehouseError, match=r"'region' is char\(9\), not string"):
        job.run(target=target, key=["id", "region"])


def test_a_table_whose_folder_is_gone_is_refused(job: Any) -> None:
    job.run()
    shutil.rmtree(job.location())
    with pytest.raises(WarehouseError, match=f"its folder {job.location()} is not there"):
        job.run()


def test_a_folder_that_the_catalog_knows_nothing_of_is_refused(job: Any) -> None:
    job.location().mkdir()
    (job.location() / "part-0.parquet").write_text("of somebody")
    with pytest.raises(
        WarehouseError, match="holds files, and the Spark session's catalog is in mem"
    ):
        job.run()
    assert (job.location() / "part-0.parquet").read_text() == "of somebody"


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("region", ["", "__HIVE_DEFAULT_PARTITION__", "x" * 250, "/" * 90])
def test_partition_values_that_would_not_come_back_are_refused(job: Any, region: str) -> None:
    job.transactions("1 2018-08-08 EU", f"2 2018-08-08 {region}")
    with pytest.raises(WarehouseError, match=r"region='.*source\.filter"):
        job.run(target={"keep": ["day", "region"], "partition_by": ["day", "region"]})
    assert not job.spark.catalog.tableExists("store.scores")


@pytest.mark.nightly
def test_partition_values_of_any_other_kind_come_back(job: Any) -> None:
    odd = ["EU", "eu", " EU", "a/b", "a=b", "50%", "a:b", "2018-08-08", "01", "null", "ä\tö", "."]
    job.transactions(*(f"{n} 2018-08-08 {region}" for n, region in enumerate(odd)))
    target = {"keep": [], "partition_by": ["region"], "mode": "append"}
    job.run(key=["id", "region"], target=target)
    again = job.run(key=["id", "region"], target=target)
    assert again.rows_out == 0
    rows = job.spark.sql("SELECT region FROM store.scores ORDER BY id").collect()
    assert [row[0] for row in rows] == odd


def test_null_is_a_partition_like_another(job: Any) -> None:
    target = {"keep": ["day", "region"], "partition_by": ["day", "region"]}
    features = {"region": "if(id = 1, NULL, region)"}
    for _ in range(2):
        job.run(target=target, features=features)
        assert job.spark.table("store.scores").where("region IS NULL").count() == 1
        assert job.scores() == [(1, 1.0), (2, 2.0)]


def test_a_first_run_without_rows_makes_no_table(job: Any) -> None:
    with pytest.raises(WarehouseError, match=r"no rows to score, and no table 'store\.scores'"):
        job.run({"date": "2030-01-01"})
    assert not job.spark.catalog.tableExists("store.scores")


@pytest.mark.nightly
def test_names_with_backticks_and_a_catalog_are_names(job: Any) -> None:
    for name in ("spark_catalog.store.`2018`", "store.`2018`"):
        job.run(target={"table": name})
    assert job.spark.table("store.`2018`").count() == 2


def test_the_current_database_is_the_sessions(job: Any) -> None:
    job.spark.catalog.setCurrentDatabase("store")
    try:
        job.run(target={"table": "scores"})
        assert job.scores() == [(1, 1.0), (2, 2.0)]
    finally:
        job.spark.catalog.setCurrentDatabase("default")


def test_a_session_that_has_read_the_table_sees_the_new_rows(job: Any) -> None:
    target = APPEND | {"keep": []}
    job.run(target=target)
    assert job.spark.table("store.scores").count() == 2
    job.run({"date": "2018-08-09"}, target=target)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.nightly
def test_a_bucketed_table_is_filled(job: Any) -> None:
    job.run()
    columns = job.spark.table("store.scores").schema
    job.spark.sql("DROP TABLE store.scores")
    described = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in columns)
    job.spark.sql(
        f"CREATE TABLE store.scores ({described}) USING parquet PARTITIONED BY (day) "
        "CLUSTERED BY (id) INTO 2 BUCKETS"
    )
    for date in ("2018-08-08", "2018-08-09", "2018-08-08"):
        job.run({"date": date})
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_partition_that_vanishes_during_the_run_is_missed(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spark_infer.warehouse.sinks.files.partition import Partitions

    job.run({"date": "2018-08-09"})
    point = Partitions.point

    def drops_another(partitions: Partitions, *arguments: Any) -> None:
        point(partitions, *arguments)
        job.spark.sql("ALTER TABLE store.scores DROP PARTITION (day = DATE'2018-08-09')")

    monkeypatch.setattr(Partitions, "point", drops_another)
    with pytest.raises(WarehouseError, match="was written, and day=2018-08-09, which it had"):
        job.run()


def test_rows_that_another_program_adds_to_the_partition_are_found(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spark_infer.warehouse.sinks.files.partition import Partitions

    point = Partitions.point
    job.run()

    def adds(partitions: Partitions, *arguments: Any) -> None:
        job.spark.catalog.cacheTable("store.scores")
        before = job.spark.table("store.scores").localCheckpoint()
        point(partitions, *arguments)
        before.write.insertInto("store.scores")
        job.spark.catalog.uncacheTable("store.scores")

    monkeypatch.setattr(Partitions, "point", adds)
    with pytest.raises(WarehouseError, match="instead of 2, beside 2 others in the same part"):
        job.run()


def settings(spark: SparkSession) -> dict[str, str]:
    return {row["key"]: row["value"] for row in spark.sql("SET").collect()}


def test_settings_of_the_session_stay(spark: SparkSession, job: Any) -> None:
    before, session = settings(spark), SparkSession.getActiveSession()
    job.run()
    assert settings(spark) == before
    assert SparkSession.getActiveSession() is session
