"""Days by the calendar of today, and files whose days may be of an older one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.spark.scan.same import assert_refused, assert_same, read_direct, settings

DAYS = """
explode(array(1, 2, 3, 4, 5)) AS i,
element_at(array(date'0001-01-01', date'1582-10-04', date'1582-10-15', date'9999-12-31', NULL), i)
    AS d,
element_at(array(timestamp'0001-01-01', timestamp'1582-10-04 12:00:00.000001', NULL,
    timestamp'1899-12-31 23:59:59.999999', timestamp'9999-12-31 23:59:59.999999'), i) AS t,
struct(d, i) AS sd, array(t) AS lt, struct(d, t) AS both
"""
TODAYS = {
    "parquet__datetimeRebaseModeInWrite": "CORRECTED",
    "parquet__int96RebaseModeInWrite": "CORRECTED",
}
JULIAN = "may be of the Julian calendar"


def write_as_hive(path: Path, table: pa.Table, *, int96: bool) -> None:
    """Write a file that says that it is of the library that Hive and Spark use."""
    pq.write_table(table, path, use_deprecated_int96_timestamps=int96)
    ours = pq.read_metadata(path).created_by
    theirs = "parquet-mr version 1.13.1".ljust(len(ours), ".")
    path.write_bytes(path.read_bytes().replace(ours.encode(), theirs.encode()))
    assert pq.read_metadata(path).created_by == theirs


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("days", ["CORRECTED", "LEGACY"])
@pytest.mark.parametrize("int96", ["CORRECTED", "LEGACY"])
@pytest.mark.parametrize("timestamps", ["INT96", "TIMESTAMP_MICROS"])
def test_the_calendar_that_spark_wrote_by(
    spark: SparkSession, tmp_path: Path, days: str, int96: str, timestamps: str
) -> None:
    with settings(
        spark,
        parquet__outputTimestampType=timestamps,
        parquet__datetimeRebaseModeInWrite=days,
        parquet__int96RebaseModeInWrite=int96,
    ):
        rows = spark.sql(f"SELECT {DAYS}")
        rows.write.parquet(str(tmp_path / "t"))
    df = spark.read.parquet(str(tmp_path / "t"))
    is_days = days == "CORRECTED"
    is_times = (int96 if timestamps == "INT96" else days) == "CORRECTED"
    direct = {
        "i": True,
        "d": is_days,
        "sd": is_days,
        "t": is_times,
        "lt": is_times,
        "both": is_days and is_times,
    }
    assert_same({name: df.select(name) for name, there in direct.items() if there})
    assert_refused({n: (df.select(n), JULIAN) for n, there in direct.items() if not there})


@pytest.mark.parametrize("int96", [True, False])
def test_files_that_do_not_tell_their_calendar(
    spark: SparkSession, tmp_path: Path, int96: bool
) -> None:
    columns = {
        "d": pa.array([-719162, 1], pa.int32()).view(pa.date32()),
        "t": pa.array([-62135596800000000, 1], pa.timestamp("us", "UTC")),
        "n": pa.array([-62135596800000000, 1], pa.timestamp("us")),
        "i": pa.array([1, 2]),
    }
    if int96:
        del columns["n"]
    path = str(tmp_path / "t.parquet")
    write_as_hive(tmp_path / "t.parquet", pa.table(columns), int96=int96)
    for mode in ("EXCEPTION", "LEGACY", "CORRECTED"):
        other = "LEGACY" if mode == "CORRECTED" else "CORRECTED"
        modes = (other, mode) if int96 else (mode, other)
        with settings(
            spark,
            parquet__datetimeRebaseModeInRead=modes[0],
            parquet__int96RebaseModeInRead=modes[1],
        ):
            df = spark.read.parquet(path)
            if mode == "CORRECTED":
                assert_same({"t": df.select("t"), "i": df.select("i")})
            else:
                assert_refused({"t": (df.select("t"), JULIAN)})
            if modes[0] == "CORRECTED":
                assert_same({"d": df.select("d")})
            else:
                assert_refused({"d": (df.select("d"), JULIAN)})


@pytest.mark.parametrize(
    ("said", "days", "int96"),
    [
        ({"org.apache.spark.version": "2.4.8"}, False, False),
        ({"org.apache.spark.version": "3.0.0"}, True, False),
        ({"org.apache.spark.version": "3.1.0"}, True, True),
        ({"org.apache.spark.version": "4.0.0-SNAPSHOT"}, True, True),
        ({"org.apache.spark.version": "3.5.1", "org.apache.spark.legacyDateTime": ""}, False, True),
        ({"org.apache.spark.version": "3.5.1", "org.apache.spark.legacyINT96": ""}, True, False),
        ({"org.apache.spark.version": "dev"}, False, False),
        ({"org.apache.spark.timeZone": "UTC"}, True, True),
    ],
)
def test_the_version_that_a_file_names(
    spark: SparkSession, tmp_path: Path, said: dict[str, str], days: bool, int96: bool
) -> None:
    day = pa.array([-300000], pa.int32()).view(pa.date32())
    time = pa.array([-300000 * 86_400_000_000], pa.timestamp("us", "UTC"))
    marked = {}
    for name, column in {"d": day, "t": time}.items():
        table = pa.table({name: column}).replace_schema_metadata(said)
        write_as_hive(tmp_path / f"{name}.parquet", table, int96=True)
    with settings(
        spark,
        parquet__datetimeRebaseModeInRead="CORRECTED",
        parquet__int96RebaseModeInRead="CORRECTED",
    ):
        marked = {name: spark.read.parquet(str(tmp_path / f"{name}.parquet")) for name in "dt"}
        direct = {"d": days, "t": int96}
        same = {name: df for name, df in marked.items() if direct[name]}
        if same:
            assert_same(same)
        assert_refused({n: (df, JULIAN) for n, df in marked.items() if not direct[n]})


def test_times_that_96_bits_do_not_tell_arrow(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    with settings(spark, parquet__outputTimestampType="INT96", **TODAYS):
        micros = "explode(array(-9223372036854775808, 9223372036854775807, 0)) AS m"
        spark.sql(f"SELECT m, timestamp_micros(m) AS t FROM (SELECT {micros})").write.parquet(path)
    for time in ("-9223372036854775808", "9223372036854775807"):
        df = spark.read.parquet(path).where(f"m = {time}")
        with pytest.raises(Exception, match=r"holds a time in column 't' .*set scan to 'jvm'"):
            read_direct(df).collect()
        assert_same({"others": df.select("m")})


def test_times_of_day_that_other_writers_may_have_made_negative(
    spark: SparkSession, tmp_path: Path
) -> None:
    times = pa.array([-1, 0], pa.timestamp("us"))
    table = pa.table({"t": times, "l": pa.array([[1], []], pa.list_(times.type)), "i": [1, 2]})
    path = str(tmp_path / "t.parquet")
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    with settings(spark, parquet__int96RebaseModeInRead="CORRECTED"):
        df = spark.read.parquet(path)
        reason = "are INT96 that 'parquet-cpp-arrow version"
        assert_refused({name: (df.select(name), reason) for name in "tl"})
        assert_same({"beside": df.select("i")})
