"""What a task reads of files, in the types that Spark has for their columns."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spark_infer.errors import WarehouseError
from spark_infer.metrics import Metrics
from spark_infer.spark.scan.files.footers import Stamp
from spark_infer.spark.scan.files.reader import Part, Reader
from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.plan.expressions import Condition

COLUMNS: dict[str, tuple[pa.Array, pa.DataType]] = {
    "large": (pa.array(["a", None, "b"], pa.large_string()), pa.string()),
    "dictionary": (pa.array(["a", None, "a"]).dictionary_encode(), pa.string()),
    "duration": (pa.array([1, None, -2], pa.duration("ms")), pa.int64()),
    "zone": (pa.array([-1, None, 5], pa.timestamp("ms", "Asia/Tokyo")), pa.timestamp("us", "UTC")),
    "list": (pa.array([[1, None], None, []], pa.large_list(pa.int32())), pa.list_(pa.int32())),
    "fixed": (pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2)), pa.list_(pa.int32())),
    "some": (
        pa.array([[1], [], [2]], pa.list_(pa.field("item", pa.int32(), nullable=False))),
        pa.list_(pa.int32()),
    ),
    "struct": (
        pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
        pa.struct({"b": pa.string(), "a": pa.int64()}),
    ),
    "structs": (
        pa.array([[{"a": 1, "b": "x"}, None], None, []]),
        pa.list_(pa.struct({"b": pa.string()})),
    ),
}


def part(path: Path, *columns: str | pa.Array, groups: tuple[int, ...] | None = None) -> Part:
    """Return all of a file, or some of its row groups."""
    metadata = pq.read_metadata(path)
    info = path.stat()
    stamp = Stamp(info.st_size, info.st_mtime_ns, metadata.serialized_size, metadata.num_rows)
    groups = tuple(range(metadata.num_row_groups)) if groups is None else groups
    rows = sum(metadata.row_group(group).num_rows for group in groups)
    return Part(str(path), Store("local"), stamp, groups, rows, 8 * rows, columns)


def read(part: Part, *types: pa.DataType, tests: Any = (), outputs: int | None = None) -> pa.Table:
    """Return what a task reads."""
    count = len(types) if outputs is None else outputs
    batches = list(Reader((pickle.dumps([part]),), types, tuple(tests), count).read(0, Metrics()))
    assert batches
    return pa.Table.from_batches(batches)


def shown(values: Any) -> Any:
    """Return values with the fields of structs by name only."""
    return [
        None if v is None else str(sorted(v.items()) if isinstance(v, dict) else v) for v in values
    ]


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("rows", [1, 3])
def test_columns_have_the_types_that_spark_has(tmp_path: Path, name: str, rows: int) -> None:
    column, kind = COLUMNS[name]
    if name == "fixed" and int(pa.__version__.partition(".")[0]) < 26:
        pytest.skip("this pyarrow does not read null lists of a fixed size")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": column}), path, row_group_size=rows)
    found = read(part(path, "x"), kind).column("0")
    assert found.type == kind
    wanted = pa.chunked_array([column])
    if name == "structs":
        assert found.to_pylist() == [[{"b": "x"}, None], None, []]
    elif name == "duration":
        assert found.to_pylist() == [1, None, -2]
    elif name == "zone":
        assert found.cast(pa.int64()).to_pylist() == [-1000, None, 5000]
    else:
        assert shown(found.to_pylist()) == shown(wanted.to_pylist())


# With a positive time of day, which Arrow does not always write before 1970.
@pytest.mark.parametrize("micros", [-62135596800000000, -86400000000, 0, 253402300799999999])
def test_old_and_far_times(tmp_path: Path, micros: int) -> None:
    path = tmp_path / "t.parquet"
    times = pa.array([micros, None], pa.timestamp("us"))
    pq.write_table(pa.table({"x": times}), path, use_deprecated_int96_timestamps=True)
    found = read(part(path, "x"), pa.timestamp("us", "UTC")).column("0")
    assert found.cast(pa.int64()).to_pylist() == [micros, None]


def test_constants_conditions_and_some_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(6), "y": list("abcdef")}), path, row_group_size=2)
    tests = [Condition(2, "GreaterThan", pa.array([2])), Condition(1, "IsNotNull", pa.array([]))]
    some = part(path, "y", pa.array([7]), "x", groups=(0, 1))
    found = read(some, pa.string(), pa.int64(), pa.int64(), tests=tests, outputs=2)
    assert found.to_pydict() == {"0": ["d"], "1": [7]}


def test_no_column_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(5)}), path)
    found = read(part(path, pa.array(["p"]), pa.nulls(1, pa.int32())), pa.string(), pa.int32())
    assert found.to_pydict() == {"0": ["p"] * 5, "1": [None] * 5}


def test_a_file_that_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(5)}), path)
    planned = part(path, "x")
    pq.write_table(pa.table({"x": range(6)}), path)
    with pytest.raises(WarehouseError, match=r"t\.parquet was replaced or removed") as caught:
        read(planned, pa.int64())
    assert caught.value.transient


def test_a_file_that_was_replaced_by_one_of_the_same_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(5)}), path)
    planned = part(path, "x")
    stamp = Stamp(planned.stamp.num_bytes, planned.stamp.mtime_ns, 1, 5)
    with pytest.raises(WarehouseError, match="was replaced or removed"):
        read(Part(**{**vars(planned), "stamp": stamp}), pa.int64())


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(100)}), path, compression="snappy")
    broken = bytearray(path.read_bytes())
    broken[4:60] = b"\xff" * 56
    path.write_bytes(broken)
    with pytest.raises(WarehouseError, match=r"t\.parquet cannot be read: .* set scan to 'jvm'"):
        read(part(path, "x"), pa.int64())


READ = [-210866544000000000, -62135596800000000, -1, 0, 253402300799999999, 2**62, 2**63 - 1]
MISREAD = [-(2**63), -(2**62), -210866976000000000]
"""Times before the first day that INT96 counts from."""


@pytest.mark.parametrize("shape", ["column", "list", "structs"])
def test_times_of_96_bits_are_those_of_spark_or_refused(tmp_path: Path, shape: str) -> None:
    path, kind = tmp_path / "t.parquet", pa.timestamp("us")

    def shaped(values: list[int]) -> pa.Array:
        times = pa.array([None, *values], pa.int64()).view(kind)
        if shape == "column":
            return times
        if shape == "structs":
            times = pa.StructArray.from_arrays([times], ["t"])
        return pa.ListArray.from_arrays(pa.array([0, 0, len(times)], pa.int32()), times)

    def written(values: list[int]) -> Part:
        others = shaped([*MISREAD, *values][: len(values)])
        table = pa.table({"a.b": shaped(values), "other": others})
        pq.write_table(table, path, use_deprecated_int96_timestamps=True)
        return part(path, "a.b")

    def as_text(column: Any) -> str:
        return str(column.combine_chunks()) if isinstance(column, pa.ChunkedArray) else str(column)

    given = shaped(READ)
    assert as_text(read(written(READ), given.type).column(0)) == as_text(given)
    for time in MISREAD:
        with pytest.raises(WarehouseError, match=r"t\.parquet holds a time in column 'a.b' .*jvm"):
            read(written([0, time]), given.type)
