"""Ranges of keys: apart only where no key can come twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.spark.written.runs import _MAX_RUNS, Runs, are_apart

KEYS = st.lists(st.lists(st.lists(st.integers(-20, 60), max_size=8), max_size=3), max_size=4)


def bounds(*batches: Sequence[object], kind: pa.DataType | None = None) -> list[int] | None:
    runs = Runs()
    for batch in batches:
        runs.add(pa.array(batch, kind or pa.int64()))
    return runs.bounds


@given(KEYS)
def test_keys_whose_ranges_are_apart_come_once(tasks: list[list[list[int]]]) -> None:
    keys = [key for task in tasks for batch in task for key in batch]
    if are_apart([bounds(*task) for task in tasks]):
        assert len(set(keys)) == len(keys)
    elif len(tasks) == 1:
        assert keys != sorted(set(keys))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=50), st.integers(1, 9))
def test_keys_in_order_are_known_to_be_apart(keys: list[int], size: int) -> None:
    keys.sort()
    batches = [keys[start : start + size] for start in range(0, len(keys), size)]
    # In any order, as tasks take row groups.
    tasks = [batches[::2], batches[1::2]]
    assert are_apart([bounds(*task) for task in tasks])
    assert are_apart([bounds(*batches)])


def test_ranges_go_on_over_batches() -> None:
    assert bounds([1, 2, 5], [], [6, 9], [3, 4]) == [1, 9, 3, 4]
    assert bounds([1, 2], [8, 9]) == [1, 2, 8, 9]
    assert bounds([2], [2]) == [2, 2, 2, 2]
    assert bounds() == []


def test_many_ranges_become_one_where_keys_only_grow() -> None:
    assert bounds(*([key] for key in range(0, 2 * _MAX_RUNS + 2, 2))) == [0, 2 * _MAX_RUNS]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([[1, 5], [6, 9]], True),
        ([[6, 9], [1, 5]], True),
        ([[1, 5], [5, 9]], False),
        ([[1, 2, 8, 9], [3, 7]], True),
        ([[1, 2, 8, 9], [3, 8]], False),
        ([[1, 5], None], False),
        ([[1, 9], [3, 4]], False),
        ([], True),
        ([[], []], True),
    ],
)
def test_ranges_that_overlap_are_not_apart(found: list[list[int] | None], expected: bool) -> None:
    assert are_apart(found) is expected


def test_a_null_or_too_many_ranges_tell_nothing() -> None:
    assert bounds([1, None]) is None
    assert bounds([1], [None], [2]) is None
    assert bounds(np.arange(_MAX_RUNS + 2)[::-1].tolist()) is None


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (pa.int8(), [-128, 127]),
        (pa.date32(), [dt.date(1969, 12, 31), dt.date(2100, 1, 1)]),
        (pa.timestamp("us", "UTC"), [0, 2**53 + 1]),
        (pa.timestamp("us"), [-1, 1]),
    ],
)
def test_days_and_times_are_numbers(kind: pa.DataType, keys: list[object]) -> None:
    found = bounds(keys, kind=kind)
    assert found is not None
    assert len(found) == 2
    assert found[0] < found[1]
