from __future__ import annotations

import pyarrow as pa
import pytest

from spark_infer.tensors.arrow.lists import flatten, shaped

KINDS = [pa.list_(pa.int32()), pa.large_list(pa.int32()), pa.list_(pa.int32(), 2)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_slice_is_flattened_to_its_own_values(kind: pa.DataType) -> None:
    column = pa.array([[9, 9], [1, 2], [3, 4], [9, 9]], kind)[1:3]
    flat = flatten(column)
    assert flat.values.to_pylist() == [1, 2, 3, 4]
    assert flat.lengths.tolist() == [2, 2]
    assert flat.starts.tolist() == [0, 2]
    assert flat.valid is None


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_null_list_adds_no_values(kind: pa.DataType) -> None:
    flat = flatten(pa.array([None, [1, 2], None, [3, None]], kind))
    assert flat.values.to_pylist() == [1, 2, 3, None]
    assert flat.lengths.tolist() == [0, 2, 0, 2]
    assert flat.starts.tolist() == [0, 0, 2, 2]
    assert flat.valid is not None
    assert flat.valid.tolist() == [False, True, False, True]


@pytest.mark.parametrize("kind", [*KINDS, pa.null()], ids=str)
def test_no_rows(kind: pa.DataType) -> None:
    flat = flatten(pa.array([], kind))
    assert len(flat.values) == len(flat.lengths) == len(flat.starts) == 0


def test_a_column_of_nothing_but_nulls_is_a_column_of_null_lists() -> None:
    flat = flatten(pa.nulls(2))
    assert flat.lengths.tolist() == [0, 0]
    assert flat.valid is not None
    assert not flat.valid.any()


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string_view()),
        pa.large_list(pa.binary_view()),
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
    ],
    ids=str,
)
def test_lists_of_another_shape_beside_words(kind: pa.DataType) -> None:
    rows = [["z"], ["a", "b"], None, ["c"], ["d", None], []]
    if pa.types.is_large_list(kind):
        rows = [row and [word and word.encode() for word in row] for row in rows]
    found = shaped(pa.array(rows, kind)[1:], [2])
    assert found.values.to_pylist() == [*rows[1], *rows[4]]
    assert found.valid is not None
    assert found.valid.tolist() == [True, False, False, True, False]
    assert found.wrong is not None
    assert found.wrong.tolist() == [False, False, True, False, True]
