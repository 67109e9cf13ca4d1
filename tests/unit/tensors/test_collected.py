from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import Output
from spark_infer.tensors import Collected
from spark_infer.tensors.rows import Rows

OUTPUTS = {
    "scalar": Output("y", dtype="int64"),
    "array": Output("y", dtype="int64", shape=[2]),
    "ragged": Output("y", dtype="int64", lengths_of="r"),
}


def value(kind: str, row: int) -> object:
    return {"scalar": row, "array": [row, -row], "ragged": [row] * (row % 3)}[kind]


def collected(kind: str, num_rows: int) -> Collected:
    lengths = np.arange(num_rows) % 3 if kind == "ragged" else None
    return Collected(OUTPUTS[kind], lengths)


def array(kind: str, rows: list[int]) -> np.ndarray:
    if kind == "ragged":
        return np.array([item for row in rows for item in value(kind, row)], np.int64)  # type: ignore[attr-defined]
    return np.array([value(kind, row) for row in rows], np.int64).reshape(
        len(rows), *OUTPUTS[kind].shape
    )


@given(
    kind=st.sampled_from(list(OUTPUTS)),
    order=st.integers(0, 20).flatmap(lambda n: st.permutations(range(n))),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    missing=st.sets(st.integers(0, 20)),
)
def test_values_return_to_their_rows(
    kind: str, order: list[int], cuts: list[int], missing: set[int]
) -> None:
    rows = collected(kind, len(order))
    edges = [0, *sorted(min(edge, len(order)) for edge in cuts), len(order)]
    for start, stop in pairwise(edges):
        part = [row for row in order[start:stop] if row not in missing]
        rows.put(Rows(np.array(part, np.intp)), array(kind, part))
    expected = [None if row in missing else value(kind, row) for row in range(len(order))]
    assert rows.column(len(order), None).to_pylist() == expected


@pytest.mark.parametrize("kind", OUTPUTS)
def test_slices_in_order_are_kept_as_they_are(kind: str) -> None:
    rows = collected(kind, 6)
    rows.put(Rows.run(0, 4), array(kind, [0, 1, 2, 3]))
    rows.put(Rows.run(4, 6), array(kind, [4, 5]))
    assert rows.column(6, None).to_pylist() == [value(kind, row) for row in range(6)]


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_gap_between_slices_is_null(kind: str) -> None:
    rows = collected(kind, 6)
    rows.put(Rows.run(0, 2), array(kind, [0, 1]))
    rows.put(Rows.run(3, 6), array(kind, [3, 4, 5]))
    expected = [value(kind, row) for row in range(6)]
    expected[2] = None
    assert rows.column(6, None).to_pylist() == expected


def test_one_array_is_not_copied() -> None:
    values = np.arange(4, dtype=np.int64)
    rows = collected("scalar", 4)
    rows.put(Rows.run(0, 4), values)
    column = rows.column(4, None)
    assert np.shares_memory(np.frombuffer(column.buffers()[1], np.int64), values)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_repeated_row_takes_the_prediction_of_its_first(kind: str) -> None:
    rows = collected(kind, 6)
    rows.put(Rows(np.array([1, 0])), array(kind, [1, 0]))
    first = np.array([0, 1, 2, 0, 1, 2])
    expected = [value(kind, row) for row in (0, 1)] + [None]
    # Equal rows have equal lengths.
    assert rows.column(6, first).to_pylist() == expected * 2


@pytest.mark.parametrize("kind", OUTPUTS)
def test_single_rows_can_be_taken_out(kind: str) -> None:
    rows = collected(kind, 6)
    rows.put(Rows(np.array([5, 1])), array(kind, [5, 1]))
    rows.put(Rows.run(2, 4), array(kind, [2, 3]))
    found = rows.items(Rows(np.array([3, 5, 1])), 6)
    assert [item.tolist() for item in found] == [value(kind, row) for row in (3, 5, 1)]
