from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.engine.repeats.rule import (
    CHEAP_WINDOWS,
    FIRST_WINDOWS,
    PROBE_EVERY,
    RepeatRule,
    first_of_each,
)

WORDS = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])


@given(rows=st.lists(st.tuples(WORDS, WORDS), max_size=30))
def test_firsts_are_the_distinct_rows_in_order_of_appearance(rows: list[tuple[int, int]]) -> None:
    # Few words, so that different rows share one half or the other.
    firsts, inverse = first_of_each(np.array(rows, np.uint64).reshape(-1, 2))
    assert firsts.tolist() == sorted({rows.index(row) for row in rows})
    assert [firsts.tolist()[index] for index in inverse] == [rows.index(row) for row in rows]


@given(num_rows=st.integers(0, 300), num_distinct=st.integers(1, 300), seed=st.integers(0, 99))
def test_firsts_among_hashes_that_share_no_half(
    num_rows: int, num_distinct: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    distinct = random.integers(2**64 - 1, size=(num_distinct, 2), dtype=np.uint64)
    hashes = distinct[random.integers(num_distinct, size=num_rows)]
    firsts, inverse = first_of_each(hashes)
    np.testing.assert_array_equal(hashes[firsts][inverse], hashes)
    rows = [row.tobytes() for row in hashes]
    assert firsts.tolist() == [index for index, row in enumerate(rows) if row not in rows[:index]]


def paying(rule: RepeatRule) -> None:
    """Show a window whose repeats save ten times their cost."""
    rule.saw(100, 50, hash_seconds=0.1, run_seconds=1.0)


def losing(rule: RepeatRule) -> None:
    """Show a window whose repeats save as much as they cost."""
    rule.saw(100, 50, hash_seconds=1.0, run_seconds=1.0)


@pytest.fixture
def off() -> RepeatRule:
    """A rule that found that hashing does not pay."""
    rule = RepeatRule("auto")
    for _ in range(FIRST_WINDOWS):
        assert rule.wants()
        losing(rule)
    return rule


@pytest.mark.parametrize("mode", [True, False])
def test_a_fixed_mode_learns_nothing(mode: bool) -> None:
    rule = RepeatRule(mode)
    for _ in range(3 * PROBE_EVERY):
        assert rule.wants() is mode
        losing(rule)
        paying(rule)


def test_it_stays_on_while_repeats_save_more_than_twice_their_cost() -> None:
    rule = RepeatRule("auto")
    for _ in range(20):
        assert rule.wants()
        rule.saw(100, 20, hash_seconds=1.0, run_seconds=8.1)


def test_it_goes_off_when_repeats_save_just_twice_their_cost() -> None:
    rule = RepeatRule("auto")
    for _ in range(FIRST_WINDOWS):
        assert rule.wants()
        rule.saw(100, 20, hash_seconds=1.0, run_seconds=8.0)
    assert not rule.wants()


def test_without_repeats_it_goes_off_however_cheap_hashing_is() -> None:
    rule = RepeatRule("auto")
    for _ in range(CHEAP_WINDOWS):
        assert rule.wants()
        rule.saw(1000, 0, hash_seconds=1e-9, run_seconds=60.0)
    assert not rule.wants()


def test_it_looks_no_longer_than_it_must_where_hashing_is_not_next_to_nothing() -> None:
    rule = RepeatRule("auto")
    for _ in range(FIRST_WINDOWS):
        assert rule.wants()
        rule.saw(1000, 0, hash_seconds=0.011, run_seconds=1.0)
    assert not rule.wants()


def test_repeats_across_windows_count_though_the_first_window_has_none() -> None:
    rule = RepeatRule("auto")
    rule.saw(100, 0, hash_seconds=0.1, run_seconds=1.0)
    rule.saw(100, 90, hash_seconds=0.1, run_seconds=0.1)
    assert rule.wants()


def test_once_off_every_64th_window_is_a_probe(off: RepeatRule) -> None:
    for _ in range(3):
        assert [off.wants() for _ in range(PROBE_EVERY)] == [False] * (PROBE_EVERY - 1) + [True]
        losing(off)


def test_a_probe_that_pays_turns_it_on_again_and_old_windows_do_not_count(off: RepeatRule) -> None:
    while not off.wants():
        pass
    paying(off)
    assert off.wants()
    assert off.wants()


def test_one_bad_window_among_good_ones_does_not_turn_it_off() -> None:
    rule = RepeatRule("auto")
    for _ in range(4):
        paying(rule)
    rule.saw(100, 0, hash_seconds=0.1, run_seconds=1.0)
    assert rule.wants()
    for _ in range(8):
        rule.saw(100, 0, hash_seconds=0.1, run_seconds=1.0)
    assert not rule.wants()


def test_windows_of_nothing_but_repeats_are_worth_what_a_row_took_before() -> None:
    rule = RepeatRule("auto")
    rule.saw(100, 0, hash_seconds=0.1, run_seconds=1.0)
    for _ in range(10):
        rule.saw(100, 100, hash_seconds=0.1, run_seconds=0.0)
        assert rule.wants()
    for _ in range(10):
        rule.saw(100, 100, hash_seconds=0.6, run_seconds=0.0)
    assert not rule.wants()


def test_nothing_but_repeats_from_the_start_keeps_it_on() -> None:
    rule = RepeatRule("auto")
    for _ in range(10):
        rule.saw(100, 100, hash_seconds=1.0, run_seconds=0.0)
        assert rule.wants()


def test_windows_without_rows_tell_nothing() -> None:
    rule = RepeatRule("auto")
    for _ in range(10):
        rule.saw(0, 0, hash_seconds=1.0, run_seconds=0.0)
        assert rule.wants()
