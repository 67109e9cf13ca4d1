"""Files of one task: every row once, in the file of its partition."""

from __future__ import annotations

import datetime as dt
import errno
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_infer.errors import WarehouseError
from spark_infer.spark.written import files as module
from spark_infer.spark.written.files import Files
from spark_infer.spark.written.layout import Layout

AT = dt.datetime(2018, 8, 8, 5, tzinfo=dt.timezone.utc)
SCHEMA = pa.schema(
    [
        ("score", pa.float32()),
        ("rejected_reason", pa.string()),
        ("id", pa.int64()),
        ("run_id", pa.string()),
        ("scored_at", pa.timestamp("us", "UTC")),
    ]
)


def layout(folder: Path, **changes: Any) -> Layout:
    given: dict[str, Any] = {
        "folder": str(folder),
        "constants": (pa.scalar("run"), pa.scalar(AT, pa.timestamp("us", "UTC"))),
        # Of the columns of ``batch``, with the constants behind them.
        "places": (3, 4, 0, 5, 6),
        "schema": SCHEMA,
        "partition": (1, 2),
        "reason": 4,
        "key": 0,
        "compression": "SNAPPY",
        "has_int96": False,
        "metadata": {"org.apache.spark.version": "4.3.0"},
    }
    return Layout(**given | changes)


def batch(rows: list[tuple[int, str | None, int | None]]) -> pa.RecordBatch:
    """Rows of an id, a region and an hour; every third is rejected."""
    ids = [row[0] for row in rows]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.int64()),
            pa.array([row[1] for row in rows], pa.string()),
            pa.array([row[2] for row in rows], pa.int32()),
            pa.array([None if i % 3 == 0 else i / 8 for i in ids], pa.float32()),
            pa.array(["model: no" if i % 3 == 0 else None for i in ids], pa.string()),
        ],
        names=["0", "1", "2", "score", "rejected_reason"],
    )


def write(given: Layout, *batches: pa.RecordBatch) -> list[Any]:
    with Files(given, "part-0") as files:
        for each in batches:
            files.add(each)
        return files.close()


def read(folder: Path, written: list[Any]) -> dict[tuple[Any, ...], list[int]]:
    """Return the ids of each partition, as the rows about the files tell them."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for name, rows, rejected, _, *values in written:
        table = pq.read_table(folder / name)
        assert table.num_rows == rows
        assert table.num_rows - table["rejected_reason"].null_count == rejected
        found.setdefault(tuple(values), []).extend(table["id"].to_pylist())
    return found


def test_rows_come_into_the_file_of_their_partition_in_order(tmp_path: Path) -> None:
    places = [("EU", 1), ("EU", 2), (None, 1), ("", None), ("US", 1), ("EU", None)]
    rows = [(i, *places[i * 7 % 6]) for i in range(100)]
    written = write(layout(tmp_path), batch(rows[:40]), batch([]), batch(rows[40:]))
    expected: dict[tuple[Any, ...], list[int]] = {}
    for number, *values in rows:
        expected.setdefault(tuple(values), []).append(number)
    assert read(tmp_path, written) == expected


def test_days_that_python_does_not_have(tmp_path: Path) -> None:
    days = [2932897, None, -800000, 17751, 2932897]
    rows = batch([(number, "EU", 1) for number in range(1, 6)])
    kind = pa.date32()
    rows = rows.set_column(2, "2", pa.array(days, pa.int32()).view(kind))
    written = write(layout(tmp_path), rows)
    assert read(tmp_path, written) == {
        ("EU", 2932897): [1, 5],
        ("EU", None): [2],
        ("EU", -800000): [3],
        ("EU", 17751): [4],
    }
    told = pa.array([row[-1] for row in written], kind)
    assert told.view(pa.int32()).to_pylist() == [row[-1] for row in written]


def test_a_partition_of_text_that_is_no_utf8(tmp_path: Path) -> None:
    rows = batch([(1, "EU", 1), (2, "EU", 1)])
    texts = pa.array([b"EU", b"\xc3\xff"], pa.binary()).view(pa.string())
    rows = rows.set_column(1, "region", texts)
    with pytest.raises(WarehouseError, match="column 'region' holds text that is no UTF-8"):
        write(layout(tmp_path), rows)
    assert list(tmp_path.iterdir()) == []


def test_a_file_has_the_columns_of_the_layout(tmp_path: Path) -> None:
    ((name, rows, rejected, runs, *values),) = write(
        layout(tmp_path), batch([(3, "EU", 1), (4, "EU", 1)])
    )
    file = pq.ParquetFile(tmp_path / name)
    assert (rows, rejected, runs, values) == (2, 1, [3, 4], ["EU", 1])
    assert file.schema_arrow.equals(SCHEMA)
    assert file.read().to_pylist() == [
        {"score": None, "rejected_reason": "model: no", "id": 3, "run_id": "run", "scored_at": AT},
        {"score": 0.5, "rejected_reason": None, "id": 4, "run_id": "run", "scored_at": AT},
    ]
    assert file.metadata.metadata == {b"org.apache.spark.version": b"4.3.0"}
    assert file.metadata.row_group(0).column(0).compression == "SNAPPY"
    assert name == "part-0-0.snappy.parquet"


@pytest.mark.parametrize("codec", ["NONE", "GZIP", "ZSTD", "LZ4"])
def test_files_are_compressed_as_the_layout_says(tmp_path: Path, codec: str) -> None:
    ((name, *_),) = write(layout(tmp_path, compression=codec), batch([(1, "EU", 1)]))
    found = pq.ParquetFile(tmp_path / name).metadata.row_group(0).column(0).compression
    assert found == {"NONE": "UNCOMPRESSED"}.get(codec, codec)


def test_without_partitions_there_is_one_file(tmp_path: Path) -> None:
    rows = [(i, "EU", i) for i in range(30)]
    written = write(layout(tmp_path, partition=()), batch(rows[:10]), batch(rows[10:]))
    assert read(tmp_path, written) == {(): list(range(30))}
    assert len(written) == 1


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    assert write(layout(tmp_path), batch([])) == []
    assert write(layout(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_held_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(i, "EU" if i % 2 else "US", 1) for i in range(600)]
    batches = [batch(rows[start : start + 100]) for start in range(0, 600, 100)]
    monkeypatch.setattr(module, "_MAX_BYTES", batches[0].nbytes * 2)
    written = write(layout(tmp_path), *batches)
    assert read(tmp_path, written) == {
        ("EU", 1): list(range(1, 600, 2)),
        ("US", 1): list(range(0, 600, 2)),
    }
    groups = [pq.ParquetFile(tmp_path / name).num_row_groups for name, *_ in written]
    assert groups == [2, 2]


def test_only_so_many_files_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 1)
    monkeypatch.setattr(module, "_MAX_OPEN", 3)
    rows = [(i, f"r{i % 5}", 1) for i in range(100)]
    written = write(layout(tmp_path), batch(rows[:50]), batch(rows[50:]))
    assert len({name for name, *_ in written}) == 10
    expected = {(f"r{r}", 1): list(range(r, 100, 5)) for r in range(5)}
    assert read(tmp_path, written) == expected


def test_the_files_of_a_task_that_fails_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 1)
    monkeypatch.setattr(module, "_MAX_OPEN", 1)

    def fail() -> None:
        with Files(layout(tmp_path), "part-0") as files:
            files.add(batch([(1, "EU", 1), (2, "US", 1)]))
            assert len(list(tmp_path.iterdir())) == 2
            files.add(batch([(3, "EU", 1)]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "passes"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)]
)
def test_what_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "the reason")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", refuse)
    with pytest.raises(WarehouseError, match=r"part-0-0.*: the reason; make room") as caught:
        write(layout(tmp_path), batch([(1, "EU", 1)]))
    assert caught.value.transient is passes
    assert list(tmp_path.iterdir()) == []


def test_times_before_1970_are_stored_as_everybody_reads_them(tmp_path: Path) -> None:
    times = [-1, -86_400_000_001, 0, 253_402_300_799_999_999, None]
    schema = pa.schema([("ts", pa.timestamp("us", "UTC"))])
    rows = pa.RecordBatch.from_arrays(
        [pa.array(times, schema.field(0).type), pa.nulls(len(times), pa.string())],
        names=["0", "rejected_reason"],
    )
    given = layout(
        tmp_path,
        constants=(),
        places=(0,),
        schema=schema,
        partition=(),
        reason=1,
        key=None,
        has_int96=True,
    )
    ((name, *_),) = write(given, rows)
    leaf = pq.ParquetFile(tmp_path / name).metadata.schema.column(0)
    assert leaf.physical_type == "INT96"
    found = pq.read_table(tmp_path / name, coerce_int96_timestamp_unit="us")["ts"]
    assert found.cast(pa.int64()).to_pylist() == times
