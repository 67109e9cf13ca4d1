from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from spark_infer.bundle import ArrayInput, Column, ScalarInput
from spark_infer.bundle.documents import shown
from spark_infer.errors import SignatureError
from spark_infer.tensors.inputs import dense
from spark_infer.tensors.inputs.dense import Dense
from spark_infer.tensors.rejects import Rejects
from spark_infer.tensors.rows import Rows

FLOATS = pa.array(np.arange(12, dtype=np.float32))


def from_arrays(column: pa.Array, rejects: Rejects | None = None, **options: object) -> Dense:
    item = ArrayInput("x", column="a", **options)
    return dense.from_arrays(column, item, rejects or Rejects(len(column)))


def shares(tensor: np.ndarray, column: pa.Array) -> bool:
    return np.shares_memory(tensor, np.frombuffer(column.buffers()[-1], np.uint8))


@pytest.mark.parametrize("column", [FLOATS, FLOATS[5:9]], ids=["whole", "slice"])
def test_one_scalar_column_is_arrows_memory(column: pa.Array) -> None:
    rows = dense.from_columns([column], ScalarInput("x", columns=["a"]), Rejects(len(column)))
    assert shares(rows.values, FLOATS)
    assert rows.values[:, 0].tolist() == column.to_pylist()


def test_packed_columns_are_arrows_memory() -> None:
    column = pa.FixedSizeListArray.from_arrays(FLOATS, 3)[1:]
    item = ScalarInput("x", columns=["a", "b", "c"])
    rows = dense.from_packed(column, item, Rejects(len(column)))
    assert shares(rows.values, FLOATS)
    assert rows.values.tolist() == column.to_pylist()


@pytest.mark.parametrize(
    "column",
    [
        pa.FixedSizeListArray.from_arrays(FLOATS, 4)[1:],
        pa.ListArray.from_arrays(pa.array([0, 4, 8, 12], pa.int32()), FLOATS)[1:],
    ],
    ids=["fixed-size", "list"],
)
def test_an_array_column_is_arrows_memory(column: pa.Array) -> None:
    rows = from_arrays(column, shape=[4])
    assert shares(rows.values, FLOATS)
    assert rows.values.tolist() == column.to_pylist()


def test_a_slice_of_rows_is_a_view() -> None:
    item = ScalarInput("x", columns=["a"])
    rows = dense.from_columns([FLOATS], item, Rejects(12))
    assert shares(rows.tensors(item, Rows.run(3, 5))["x"], FLOATS)


def test_arrows_memory_is_never_written() -> None:
    column = pa.array([1.0, None, 3.0], pa.float32())
    before = bytes(column.buffers()[1])
    item = ScalarInput("x", columns=[Column("a", nulls=7)])
    rows = dense.from_columns([column], item, Rejects(3))
    assert rows.values[:, 0].tolist() == [1, 7, 3]
    assert bytes(column.buffers()[1]) == before


def test_scalar_columns_of_several_types_become_one_tensor() -> None:
    columns = [pa.array([True, False]), pa.array([2, 3], pa.int64()), pa.array([0.5, 1.5])]
    item = ScalarInput("x", columns=["a", "b", "c"])
    rows = dense.from_columns(columns, item, Rejects(2))
    assert rows.values.dtype == np.float32
    assert rows.values.tolist() == [[1, 2, 0.5], [0, 3, 1.5]]
    assert rows.present is None


@pytest.mark.parametrize("lengths", [[1, 3], [2, 2, 1], [0, 2]])
def test_a_packed_row_of_a_wrong_length_stops(lengths: list[int]) -> None:
    column = pa.array([[1.0] * length for length in lengths], pa.list_(pa.float32()))
    wrong = next(length for length in lengths if length != 2)
    with pytest.raises(SignatureError, match=f"holds {wrong} values in a row of 2 columns"):
        dense.from_packed(column, ScalarInput("x", columns=["a", "b"]), Rejects(len(lengths)))


WRONG = [
    ([3.0], [2]),
    ([], [2]),
    ([1.0, 2.0, 3.0], [2]),
    ([[1.0, 2.0], [3.0]], [2, 2]),
    ([[1.0, 2.0]], [2, 2]),
    # As many values in all.
    ([[1.0], [2.0, 3.0, 4.0]], [2, 2]),
    ([[1.0, 2.0, 3.0, 4.0]], [2, 2]),
    ([[1.0, 2.0], None], [2, 2]),
    ([None, None], [2, 2]),
    ([[[1.0], None], [[3.0], [4.0]]], [2, 2, 1]),
    ([None, [[3.0], [4.0]]], [2, 2, 1]),
]


def full(shape: list[int], value: float) -> list:
    return np.full(shape, value).tolist()


@pytest.mark.parametrize(("wrong", "shape"), WRONG)
def test_an_array_of_another_shape_costs_its_row(wrong: list, shape: list[int]) -> None:
    kind = pa.float64()
    for _ in shape:
        kind = pa.list_(kind)
    column = pa.array([full(shape, 1.0), wrong, None, full(shape, 2.0), wrong], kind)
    rejects = Rejects(5)
    rows = from_arrays(column, rejects, shape=shape, nulls=7.0)
    reason = f"column 'a' is not of shape {shape}"
    assert rejects.reasons().to_pylist() == [None, reason, None, None, reason]
    assert rows.values.shape == (5, *shape)
    kept = rows.values[[0, 2, 3]].tolist()
    assert kept == [full(shape, 1.0), full(shape, 7.0), full(shape, 2.0)]


@pytest.mark.parametrize(("wrong", "shape"), WRONG)
def test_an_array_of_another_shape_stops_where_that_is_asked_for(
    wrong: list, shape: list[int]
) -> None:
    column = pa.array([None, full(shape, 1.0), wrong])
    problem = re.escape(f"expected arrays of shape {shape}, got {shown(wrong)}; give the input")
    with pytest.raises(SignatureError, match=rf"column 'a' \(input 'x'\): {problem}"):
        from_arrays(column, shape=shape, lengths="error")


def test_what_else_is_wrong_with_rows_beside_one_of_another_shape_is_found() -> None:
    column = pa.array([[1, None], [1], [300, 2], [1, 2]], pa.list_(pa.int64()))
    rejects = Rejects(4)
    rows = from_arrays(column, rejects, shape=[2], dtype="uint8")
    assert rejects.reasons().to_pylist() == [
        "column 'a' holds a null",
        "column 'a' is not of shape [2]",
        "column 'a' holds a value outside 0..255",
        None,
    ]
    assert rows.values[3].tolist() == [1, 2]


def test_a_null_row_may_have_any_length_below() -> None:
    column = pa.ListArray.from_arrays(
        pa.array([0, 2, 7, 9], pa.int32()),
        pa.array(np.arange(9.0)),
        mask=pa.array([False, True, False]),
    )
    rejects = Rejects(3)
    rows = from_arrays(column, rejects, shape=[2])
    assert rows.values[[0, 2]].tolist() == [[0, 1], [7, 8]]
    assert rejects.reasons().to_pylist() == [None, "column 'a' is null", None]


def test_the_null_rules_of_the_array_and_of_its_items_differ() -> None:
    column = pa.array([[1.0, None], None], pa.list_(pa.float32()))
    rows = from_arrays(column, shape=[2], nulls=5, null_items="nan", presence=True)
    np.testing.assert_array_equal(rows.values, [[1, np.nan], [5, 5]])
    assert rows.present is not None
    assert rows.present.tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("shape", [[3], [2, 3]])
def test_a_column_of_nothing_but_nulls_has_any_type(shape: list[int]) -> None:
    rejects = Rejects(2)
    assert from_arrays(pa.nulls(2), rejects, shape=shape).values.shape == (2, *shape)
    assert rejects.count == 2
    assert from_arrays(pa.nulls(0), shape=shape).values.shape == (0, *shape)
