from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from spark_infer.bundle import RaggedInput
from spark_infer.errors import SignatureError
from spark_infer.tensors.inputs import ragged
from spark_infer.tensors.inputs.ragged import Ragged
from spark_infer.tensors.rejects import Rejects
from spark_infer.tensors.rows import Rows


def from_lists(column: pa.Array, rejects: Rejects | None = None, **options: object) -> Ragged:
    item = RaggedInput("x", column="a", **options)
    return ragged.from_lists(column, item, rejects or Rejects(len(column)))


def padded(column: pa.Array, **options: object) -> dict[str, list]:
    item = RaggedInput("x", column="a", **options)
    rows = ragged.from_lists(column, item, Rejects(len(column)))
    tensors = rows.tensors(item, Rows.run(0, len(column)))
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def test_short_rows_end_in_the_pad_value_and_the_mask_tells() -> None:
    column = pa.array([[1], [2, 3, 4], []], pa.list_(pa.int32()))
    assert padded(column, dtype="int64", pad_value=-1) == {
        "x": [[1, -1, -1], [2, 3, 4], [-1, -1, -1]],
        "x_mask": [[True, False, False], [True, True, True], [False, False, False]],
    }


def test_rows_without_values_are_padded_to_length_one() -> None:
    column = pa.array([[], []], pa.list_(pa.float32()))
    assert padded(column) == {"x": [[0], [0]], "x_mask": [[False], [False]]}


def test_presence_marks_real_values_that_are_not_null() -> None:
    structs = [{"p": 1.0, "q": None}, None]
    kind = pa.list_(pa.struct({"p": pa.float32(), "q": pa.float32()}))
    column = pa.array([structs, [{"p": 3.0, "q": 4.0}]], kind)
    tensors = padded(column, fields=["p", "q"], null_items=9, presence=True)
    assert tensors["x"] == [[[1, 9], [9, 9]], [[3, 4], [0, 0]]]
    assert tensors["x_mask"] == [[True, True], [True, False]]
    assert tensors["x_present"] == [[[True, False], [False, False]], [[True, True], [False, False]]]


def test_presence_without_a_null_is_the_mask_at_every_inner_position() -> None:
    column = pa.array([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]])
    tensors = padded(column, shape=[2], presence=True)
    assert tensors["x_present"] == [[[True] * 2, [False] * 2], [[True] * 2, [True] * 2]]


def test_fields_are_taken_by_name_in_the_order_of_the_signature() -> None:
    column = pa.array([[{"p": 1, "other": 2, "q": 3}]])
    assert padded(column, fields=["q", "p"], mask=False) == {"x": [[[3, 1]]]}


@pytest.mark.parametrize(("overflow", "values"), [("keep_first", [1, 2]), ("keep_last", [3, 4])])
def test_a_long_row_is_cut(overflow: str, values: list[int]) -> None:
    rows = from_lists(pa.array([[1, 2, 3, 4]]), max_length=2, overflow=overflow)
    assert rows.values[rows.starts[0] :][: rows.lengths[0]].tolist() == values


def test_a_long_row_is_rejected() -> None:
    rejects = Rejects(2)
    from_lists(pa.array([[1, 2, 3], [1, 2]]), rejects, max_length=2, overflow="reject")
    assert rejects.reasons().to_pylist() == ["column 'a' is longer than 2", None]


def test_a_long_row_stops_by_default() -> None:
    with pytest.raises(
        SignatureError, match=r"column 'a'.*holds 3 values, max_length is 2.*'keep_"
    ):
        from_lists(pa.array([[1], [1, 2, 3]]), max_length=2)


def test_garbage_under_a_null_row_is_not_too_long() -> None:
    column = pa.ListArray.from_arrays(
        pa.array([0, 5, 6], pa.int32()), pa.array(np.arange(6.0)), mask=pa.array([True, False])
    )
    rows = from_lists(column, max_length=2, nulls="empty")
    assert rows.lengths.tolist() == [0, 1]


def test_a_fixed_size_column_may_be_ragged() -> None:
    column = pa.array([[9, 9], [1, 2], None, [3, 4]], pa.list_(pa.int8(), 2))[1:]
    tensors = padded(column, dtype="int8", nulls="empty", max_length=1, overflow="keep_last")
    assert tensors == {"x": [[2], [0], [4]], "x_mask": [[True], [False], [True]]}


def test_a_null_that_the_overflow_rule_cuts_off_rejects_nothing() -> None:
    rejects = Rejects(2)
    column = pa.array([[None, 1, 2], [1, 2, None]])
    from_lists(column, rejects, max_length=2, overflow="keep_last")
    assert rejects.reasons().to_pylist() == [None, "column 'a' holds a null"]


WRONG = [[[1.0, 2.0], [3.0]], [[1.0, 2.0], None], [[]], [None], [[1.0], [2.0, 3.0, 4.0]]]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_inner_array_of_another_shape_costs_its_row(wrong: list) -> None:
    right = [[5.0, 6.0], [7.0, 8.0]]
    column = pa.array([wrong, right, [], wrong, None], pa.list_(pa.list_(pa.float64())))
    rejects = Rejects(5)
    rows = from_lists(column, rejects, shape=[2], nulls="empty")
    reason = "column 'a' holds an array that is not of shape [2]"
    assert rejects.reasons().to_pylist() == [reason, None, None, reason, None]
    item = RaggedInput("x", column="a", shape=[2])
    tensors = rows.tensors(item, Rows(np.array([1, 2, 4])))
    assert tensors["x"].tolist() == [right, [[0.0, 0.0]] * 2, [[0.0, 0.0]] * 2]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_inner_array_of_another_shape_stops_where_that_is_asked_for(wrong: list) -> None:
    with pytest.raises(SignatureError, match=r"column 'a'.*expected arrays of shape \[2\], got"):
        from_lists(pa.array([[[1.0, 2.0]], wrong]), shape=[2], lengths="error")


def test_an_inner_array_of_another_shape_that_is_cut_off_rejects_nothing() -> None:
    rejects = Rejects(2)
    column = pa.array([[[1.0], [2.0, 3.0]], [[2.0, 3.0], None]])
    from_lists(column, rejects, shape=[2], max_length=1, overflow="keep_first", lengths="reject")
    assert rejects.reasons().to_pylist() == [
        "column 'a' holds an array that is not of shape [2]",
        None,
    ]


def test_values_of_adjoining_rows_are_arrows_memory() -> None:
    values = pa.array(np.arange(6, dtype=np.float32))
    column = pa.ListArray.from_arrays(pa.array([0, 2, 6], pa.int32()), values)
    rows = from_lists(column)
    assert np.shares_memory(rows.values, np.frombuffer(values.buffers()[1], np.uint8))


@pytest.mark.parametrize("options", [{}, {"shape": [2]}, {"fields": ["p", "q"]}])
@pytest.mark.parametrize("num_rows", [0, 3])
def test_a_column_of_nothing_but_nulls_has_any_type(options: dict, num_rows: int) -> None:
    rejects = Rejects(num_rows)
    rows = from_lists(pa.nulls(num_rows), rejects, **options)
    assert rows.lengths.tolist() == [0] * num_rows
    assert rejects.count == num_rows


def test_a_list_of_nothing_but_null_structs_has_any_type() -> None:
    column = pa.array([[None], [None, None]], pa.list_(pa.null()))
    tensors = padded(column, fields=["p", "q"], null_items=7, mask=False)
    assert tensors["x"] == [[[7, 7], [0, 0]], [[7, 7], [7, 7]]]
