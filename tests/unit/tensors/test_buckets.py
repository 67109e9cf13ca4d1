from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import RaggedInput
from spark_infer.errors import ConfigError
from spark_infer.tensors import Cut, PadRule, cut_batches, length_order

ANY = RaggedInput("x", column="x")
LENGTHS = st.lists(st.integers(0, 40), max_size=60)


@dataclass(frozen=True)
class Tokens:
    """A budget that is no more than that."""

    tokens: int


def cut(
    num_rows: int, padded: Any, budget: Callable[..., int], **limits: Any
) -> list[tuple[int, int, int]]:
    """Cut batches; return their first rows, rows after the last, and lengths."""
    found = cut_batches(num_rows, padded, choose=lambda *given: Tokens(budget(*given)), **limits)
    return [(batch.start, batch.stop, batch.length) for batch in found]


@given(lengths=LENGTHS, offset=st.sampled_from([0, 70_000]))
def test_order_is_longest_first_and_stable(lengths: list[int], offset: int) -> None:
    array = np.array(lengths, np.int64) + offset * np.arange(len(lengths)) % (offset + 1)
    order = length_order([array]).tolist()
    assert order == sorted(range(len(lengths)), key=lambda row: -array[row])


def test_order_goes_by_the_sum_of_several_inputs() -> None:
    assert length_order([np.array([1, 5, 0]), np.array([9, 1, 7])]).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("rule", "padded"),
    [
        (PadRule(), [1, 1, 5, 16, 17, 40]),
        (PadRule(multiple=8), [8, 8, 8, 16, 24, 40]),
        (PadRule(edges=(4, 16)), [4, 4, 16, 16, 17, 40]),
        (PadRule(multiple=8, edges=(4, 16)), [4, 4, 16, 16, 24, 40]),
    ],
)
def test_lengths_are_padded_up(rule: PadRule, padded: list[int]) -> None:
    lengths = np.array([0, 1, 5, 16, 17, 40])
    assert rule.padded(lengths, ANY).tolist() == padded
    assert [rule.padded(int(length), ANY) for length in lengths] == padded


def test_padding_stops_at_the_longest_length_that_a_model_takes() -> None:
    item = RaggedInput("x", column="x", max_length=20)
    assert PadRule(multiple=64).padded(3, item) == 20
    assert PadRule(multiple=64).padded(np.array([3, 20]), item).tolist() == [20, 20]


@pytest.mark.parametrize("rule", [PadRule(), PadRule(multiple=6), PadRule(edges=(3, 9, 25))])
def test_an_input_of_one_length_is_padded_to_it_whatever_the_rule(rule: PadRule) -> None:
    item = RaggedInput("x", column="x", pad_to=20)
    assert rule.padded(3, item) == 20
    assert rule.padded(np.array([0, 20]), item).tolist() == [20, 20]


@pytest.mark.parametrize("rule", [PadRule(), PadRule(multiple=6), PadRule(edges=(3, 9, 25))])
@pytest.mark.parametrize("max_length", [None, 40])
def test_the_multiple_that_an_input_needs_holds_whatever_the_rule(
    rule: PadRule, max_length: int | None
) -> None:
    item = RaggedInput("x", column="x", pad_multiple=4, max_length=max_length)
    lengths = np.arange(41)
    padded = rule.padded(lengths, item)
    assert (padded % 4 == 0).all()
    assert (padded >= lengths).all()
    assert padded.min() > 0


def test_a_multiple_of_two_numbers_that_no_tensor_has_is_refused() -> None:
    item = RaggedInput("x", column="x", pad_multiple=2**31 - 1)
    for lengths in (1, np.arange(3)):
        with pytest.raises(ConfigError, match=r"one of both would be 4,611,.*; leave it out"):
            PadRule(multiple=2**31 - 2).padded(lengths, item)
    assert PadRule(multiple=2**31 - 1).padded(1, item) == 2**31 - 1


@given(
    inputs=st.integers(1, 60).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(1, 40), min_size=n, max_size=n), min_size=1, max_size=3
        )
    ),
    tokens=st.integers(1, 400),
    max_rows=st.none() | st.integers(1, 20),
)
def test_batches_cover_all_rows_within_the_budget(
    inputs: list[list[int]], tokens: int, max_rows: int | None
) -> None:
    lengths = [np.array(values) for values in inputs]
    order = length_order(lengths)
    padded = [values[order] for values in lengths]
    num_rows = len(order)
    found = cut(num_rows, padded, lambda *_: tokens, max_rows=lambda: max_rows)
    assert [stop for _, stop, _ in found][-1] == num_rows
    assert [start for start, _, _ in found] == [0, *(stop for _, stop, _ in found[:-1])]
    for start, stop, length in found:
        assert length == sum(int(values[start:stop].max()) for values in padded)
        assert max_rows is None or stop - start <= max_rows
        assert (stop - start) * length <= tokens or stop - start == 1
        if stop < num_rows and stop - start != max_rows:
            wider = sum(int(values[start : stop + 1].max()) for values in padded)
            assert (stop + 1 - start) * wider > tokens, "one more row would have fitted"


@given(num_rows=st.integers(0, 300), tokens=st.integers(1, 300))
def test_rows_of_one_length_are_cut_evenly(num_rows: int, tokens: int) -> None:
    found = [stop - start for start, stop, _ in cut(num_rows, [], lambda *_: tokens)]
    assert sum(found) == num_rows
    assert len(found) == -(-num_rows // tokens)
    assert not found or max(found) - min(found) <= 1


def test_the_budget_is_asked_for_each_batch() -> None:
    budgets = iter([1, 4, 6])
    found = cut(5, [np.array([2, 2, 2, 1, 1])], lambda *_: next(budgets))
    assert [stop for _, stop, _ in found] == [1, 3, 5]


def test_the_budget_knows_what_it_would_pad() -> None:
    asked = []

    def budget(length: int, num_rows: int, efficiency: Any) -> int:
        asked.append(
            (length, num_rows, [round(efficiency(tokens), 3) for tokens in (1, 8, 12, 99)])
        )
        return 8

    assert cut(4, [np.array([4, 2, 2, 1])], budget) == [(0, 2, 4), (2, 4, 2)]
    # 4 of 4; 6 of 8; 8 of 12; 9 of 16. Then 2 of 2; 3 of 4.
    assert asked == [(4, 4, [1.0, 0.75, 0.667, 0.562]), (2, 2, [1.0, 0.75, 0.75, 0.75])]


def test_without_ragged_inputs_nothing_is_padded() -> None:
    def budget(length: int, num_rows: int, efficiency: Any) -> int:
        assert (length, efficiency) == (1, None)
        return 3

    assert cut(5, [], budget) == [(0, 3, 1), (3, 5, 1)]


def test_what_was_chosen_comes_with_the_batch() -> None:
    budgets = [Tokens(4), Tokens(8), Tokens(1)]
    chosen = iter(budgets)
    found = list(cut_batches(4, [np.array([4, 3, 2, 1])], choose=lambda *_: next(chosen)))
    assert found == [
        Cut(0, 1, 4, budgets[0]),
        Cut(1, 3, 3, budgets[1]),
        Cut(3, 4, 1, budgets[2]),
    ]


@pytest.mark.parametrize(
    "padded", [[np.array([4, 4, 4, 2])], [np.array([2] * 4), np.array([2] * 4)]]
)
def test_no_budget_goes_beyond_the_most_tokens(padded: Any) -> None:
    asked = []

    def budget(length: int, num_rows: int, efficiency: Any) -> int:
        asked.append(num_rows)
        return 100

    assert cut(4, padded, budget, max_tokens=9)[0] == (0, 2, 4)
    assert asked[0] == 2
    assert cut(4, padded, budget, max_tokens=3)[0] == (0, 1, 4)
