"""Rows: the same ones, whether they are a run or positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.tensors.rows import Rows

WINDOW = np.arange(100) * 10


@st.composite
def both(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """Some neighbors, as a run and as positions."""
    start, stop = sorted(draw(st.lists(st.integers(0, 100), min_size=2, max_size=2)))
    return Rows.run(start, stop), Rows(np.arange(start, stop))


@given(pair=both(), data=st.data())
def test_a_run_and_its_positions_are_the_same_rows(
    pair: tuple[Rows, Rows], data: st.DataObject
) -> None:
    run, positions = pair
    count = len(run)
    assert count == len(positions)
    assert (run.is_run, positions.is_run) == (True, False)
    start, stop = sorted(data.draw(st.lists(st.integers(0, count), min_size=2, max_size=2)))
    order = np.array(data.draw(st.permutations(range(count))), np.intp)
    flags = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    for make in (
        lambda rows: rows,
        lambda rows: rows.part(start, stop),
        lambda rows: rows.halves()[0],
        lambda rows: rows.halves()[1],
        lambda rows: rows.ordered(order),
        lambda rows: rows.only(flags),
        lambda rows: rows.only(order[start:stop]),
    ):
        found = [make(rows) for rows in pair]
        assert found[0].positions.tolist() == found[1].positions.tolist()
        assert found[0].take(WINDOW).tolist() == (found[0].positions * 10).tolist()


@given(pair=both())
def test_halves_are_all_of_them(pair: tuple[Rows, Rows]) -> None:
    for rows in pair:
        first, second = rows.halves()
        assert [*first.positions, *second.positions] == rows.positions.tolist()
        assert 0 <= len(second) - len(first) <= 1
        assert first.is_run == second.is_run == rows.is_run


@pytest.mark.parametrize("part", [lambda rows: rows, lambda rows: rows.part(1, 3)])
def test_of_a_run_come_views(part: Any) -> None:
    assert np.shares_memory(part(Rows.run(5, 50)).take(WINDOW), WINDOW)
