"""Batch sizes that are learned: simulated devices stand in for the clock."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.backends import Memory
from spark_infer.model.sizing.sizer import BatchSizer, LearnedSize, bucket_of

Seconds = Callable[[int], float]


def overhead(tokens: int) -> float:
    """A device with a fixed cost for each batch: larger is always faster, less and less so."""
    return 1e-3 + tokens * 1e-6


def cache_of(most: int) -> Seconds:
    """A device that is fastest with so many tokens, and slower the further a batch is from it."""
    return lambda tokens: tokens * 1e-6 * (max(tokens, most) / min(tokens, most)) ** 0.3


def run(
    sizer: BatchSizer, length: int, seconds: Seconds, *, memory: Memory | None = None
) -> list[int]:
    """Run full batches until the search is over; return their tokens."""
    sizes = []
    while not sizer.is_settled(length):
        rows = sizer.tokens(length) // length
        sizes.append(rows * length)
        sizer.record(length, sizes[-1], rows, seconds(sizes[-1]), memory=memory)
        assert len(sizes) < 100
    return sizes


def test_it_starts_small_and_doubles_while_throughput_grows() -> None:
    sizer = BatchSizer(start_tokens=256)
    sizes = run(sizer, 16, overhead)
    assert sizes[0] == 256
    tried = list(dict.fromkeys(sizes))
    assert tried == [256 << step for step in range(len(tried))]
    rate = {tokens: tokens / overhead(tokens) for tokens in sizes}
    assert rate[sizer.tokens(16)] >= 0.9 * max(rate.values())


def test_it_settles_at_the_size_that_fits_the_cache() -> None:
    sizer = BatchSizer(start_tokens=256)
    sizes = run(sizer, 1, cache_of(4096))
    assert sizer.tokens(1) == 4096
    # Two misses, a few tries each: a worse size costs little.
    assert max(sizes) <= 4 * 4096


@given(best=st.integers(8, 16), length=st.integers(1, 64))
def test_it_finds_the_best_power_of_two_in_few_batches(best: int, length: int) -> None:
    sizer = BatchSizer(start_tokens=64)
    sizes = run(sizer, length, cache_of(1 << best))
    assert sizer.tokens(length) == 1 << best
    # Two tries for each size that is better, and for two that are not, and for a smaller one again;
    # before each try a batch of the best size.
    assert len(sizes) <= 2 * (2 * (best - 5) + 2 * 2 + 2)


def test_growth_ends_where_a_batch_takes_longer_than_a_second() -> None:
    sizer = BatchSizer(start_tokens=256)
    sizes = run(sizer, 1, lambda tokens: 0.5 + tokens / 1000)
    assert 0.5 + max(sizes) / 1000 < 2.5


def test_growth_ends_below_the_memory_limit() -> None:
    limit = 100 * 2**20
    sizer = BatchSizer(start_tokens=256)
    peak = 0
    for _ in range(60):
        if sizer.is_settled(1):
            break
        tokens = sizer.tokens(1)
        peak = max(peak, 10 * 2**20 + tokens * 1024)
        sizer.record(1, tokens, tokens, overhead(tokens), memory=Memory(peak, limit))
    assert sizer.is_settled(1)
    assert 0.2 * limit < peak < 0.8 * limit


def test_one_disturbed_batch_does_not_end_the_search() -> None:
    sizer = BatchSizer(start_tokens=256)
    tries = 0
    while not sizer.is_settled(1):
        tries += 1
        tokens = sizer.tokens(1)
        disturbed = 10.0 if tries % 3 == 0 else 1.0
        sizer.record(1, tokens, tokens, 1e-2 * disturbed + tokens * 1e-7, memory=None)
    assert sizer.tokens(1) >= 1 << 17


def test_disturbed_first_batches_do_not_lead_to_a_size_that_is_larger_than_it_need_be() -> None:
    sizer = BatchSizer(start_tokens=256)
    tries = 0
    while not sizer.is_settled(1):
        tries += 1
        tokens = sizer.tokens(1)
        # The rate is the same for all sizes, but others keep the machine busy at first.
        sizer.record(1, tokens, tokens, tokens * 1e-6 * max(1.0, 3.0 - tries / 4), memory=None)
    assert sizer.tokens(1) == 256


def test_rows_of_another_length_do_not_make_a_size_look_better() -> None:
    sizer = BatchSizer(start_tokens=256)
    # As a window is sorted, so are its lengths: tokens of shorter rows cost less.
    lengths = np.geomspace(256, 65, 40).astype(int).tolist()
    for _ in range(10):
        for length in lengths:
            tokens = sizer.tokens(length) // length * length
            seconds = tokens * 1e-6 * length**0.5 * (1.1 if tokens > 1024 else 1.0)
            sizer.record(length, tokens, tokens // length, seconds, memory=None)
    assert sizer.is_settled(256)
    assert sizer.tokens(256) <= 1024


def test_batches_that_do_not_fill_the_size_say_nothing() -> None:
    sizer = BatchSizer(start_tokens=256)
    for tokens in (1, 100, 128, 257, 5000):
        for _ in range(5):
            sizer.record(1, tokens, tokens, 1e-9, memory=None)
    assert sizer.tokens(1) == 256
    assert sizer.learned() == {}


def test_a_row_longer_than_the_size_counts() -> None:
    sizer = BatchSizer(start_tokens=16)
    run(sizer, 300, cache_of(1))
    assert sizer.tokens(300) >= 300


def test_a_distant_bucket_starts_from_its_neighbor_and_may_go_down() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 16, cache_of(8192))
    assert sizer.tokens(16) == 8192
    assert sizer.tokens(128) == 8192
    sizes = run(sizer, 128, cache_of(2048))
    assert sizes[0] == 8192
    assert sizer.tokens(128) == 2048
    assert sizer.tokens(16) == 8192


def test_near_buckets_follow_one_that_has_settled() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 16, cache_of(8192))
    for length in (2, 5, 16, 17, 64):
        assert sizer.is_settled(length)
        assert sizer.tokens(length) == 8192
    assert not sizer.is_settled(1)
    assert not sizer.is_settled(65)
    assert sizer.tokens_by_length() == {16: 8192}
    sizer.lower(64, 4096)
    assert (sizer.tokens(16), sizer.tokens(64), sizer.tokens(256)) == (8192, 2048, 2048)


def test_a_larger_size_is_not_tried_where_it_would_pad_too_much() -> None:
    sizer = BatchSizer(start_tokens=256)
    for _ in range(2):
        sizer.record(16, 256, 16, 1.0, memory=None)
    assert sizer.tokens(16) == 512
    assert sizer.tokens(16, lambda tokens: 0.95 if tokens > 256 else 1.0) == 512
    assert sizer.tokens(16, lambda tokens: 0.85 if tokens > 256 else 1.0) == 256
    sizer.record(16, 256, 16, 1.0, memory=None)
    assert sizer.tokens(16) == 512


@pytest.mark.parametrize("settled", [True, False])
def test_out_of_memory_lowers_this_and_longer_buckets_for_good(settled: bool) -> None:
    sizer = BatchSizer(start_tokens=256)
    for length in (4, 16, 64):
        if settled:
            run(sizer, length, cache_of(8192))
        else:
            sizer.record(length, 256, 256 // length, 1.0, memory=None)
    assert sizer.ceiling(16) == sys.maxsize
    sizer.lower(16, 4096)
    assert (sizer.ceiling(16), sizer.ceiling(64), sizer.ceiling(4000)) == (2048, 2048, 4000)
    assert sizer.ceiling(4) == sys.maxsize
    for length in (16, 64, 256):
        run(sizer, length, cache_of(8192))
        assert sizer.tokens(length) <= 2048
    run(sizer, 4, cache_of(8192))
    assert sizer.tokens(4) == 8192


@pytest.mark.parametrize("num_batches", range(1, 30))
def test_out_of_memory_at_any_time_leaves_a_search_that_ends(num_batches: int) -> None:
    for most in (512, 1024, 2048):
        sizer = BatchSizer(start_tokens=256)
        for _ in range(num_batches):
            tokens = sizer.tokens(1, look=True)
            sizer.record(1, tokens, tokens, cache_of(1024)(tokens), memory=None)
        sizer.lower(1, 2 * most)
        run(sizer, 1, cache_of(1024))
        assert sizer.tokens(1) == min(most, 1024)
        assert max(sizer.learned()[1].rates) <= most
        chosen = {sizer.tokens(1, look=True) for _ in range(500)}
        assert max(chosen) <= most


def test_out_of_memory_after_another_size_became_the_best() -> None:
    known = LearnedSize(1024, None, {512: 0.9, 1024: 1.0, 4096: 0.98}, settled=True)
    sizer = BatchSizer(learned={1: known}, start_tokens=256)
    for _ in range(200):
        tokens = sizer.tokens(1, look=True)
        sizer.record(1, tokens, tokens, cache_of(4096)(tokens), memory=None)
    assert sizer.tokens(1) == 4096
    sizer.lower(1, 4096)
    assert not sizer.is_settled(1)
    run(sizer, 1, cache_of(4096))
    assert sizer.tokens(1) == 2048


def test_what_was_learned_is_where_the_next_one_starts() -> None:
    changes: list[dict[int, LearnedSize]] = []
    sizer = BatchSizer(start_tokens=256, on_change=changes.append)
    run(sizer, 16, cache_of(4096))
    sizer.lower(100, 1024)
    learned = sizer.learned()
    assert changes[-1] == learned
    assert learned[16].tokens == 4096
    assert learned[16].settled
    again = BatchSizer(learned=learned)
    assert again.is_settled(16)
    assert again.tokens(16) == 4096
    assert (again.ceiling(256), again.tokens(256)) == (512, 512)
    assert sizer.tokens_by_length() == {16: 4096}


def test_a_search_that_was_cut_off_goes_on() -> None:
    sizer = BatchSizer(start_tokens=256)
    for _ in range(5):
        tokens = sizer.tokens(1)
        sizer.record(1, tokens, tokens, overhead(tokens), memory=None)
    learned = sizer.learned()
    assert (learned[1].tokens, learned[1].settled) == (512, False)
    again = BatchSizer(learned=learned)
    assert run(again, 1, cache_of(8192))[:2] == [512, 1024]
    assert again.tokens(1) == 8192


def test_a_search_that_was_cut_off_below_a_limit_is_over() -> None:
    known = LearnedSize(512, 512, {256: 1.0, 512: 1.2}, settled=False)
    assert BatchSizer(learned={1: known}).is_settled(1)
    larger = LearnedSize(4096, None, {4096: 1.0}, settled=True)
    small = BatchSizer(learned={1: larger}, start_tokens=256, max_tokens=1024)
    run(small, 1, cache_of(4096))
    assert small.tokens(1) == 1024


@pytest.mark.parametrize(
    ("size", "ceiling", "expected"),
    [
        (LearnedSize(8, None, {8: 1.0}, True), None, LearnedSize(8, None, {8: 1.0}, True)),
        (LearnedSize(8, None, {8: 1.0}, True), 16, LearnedSize(8, 16, {8: 1.0}, True)),
        (LearnedSize(8, 32, {8: 1.0, 32: 0.5}, True), 16, LearnedSize(8, 16, {8: 1.0}, True)),
        (LearnedSize(8, 8, {8: 1.0}, True), 16, LearnedSize(8, 8, {8: 1.0}, True)),
        (LearnedSize(8, None, {8: 1.0}, True), 4, LearnedSize(4, 4, {}, False)),
    ],
)
def test_a_size_above_a_ceiling_is_found_anew(
    size: LearnedSize, ceiling: int | None, expected: LearnedSize
) -> None:
    assert size.under(ceiling) == expected


@pytest.mark.parametrize(
    ("length", "bucket"), [(0, 1), (1, 1), (2, 4), (4, 4), (5, 16), (16, 16), (17, 64), (256, 256)]
)
def test_buckets_are_powers_of_four(length: int, bucket: int) -> None:
    assert bucket_of(length) == bucket


def test_rates_follow_what_batches_show_after_the_end() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 1, cache_of(1024))
    assert sizer.tokens(1) == 1024
    # The first batches were disturbed: in truth a smaller size is faster.
    seconds = cache_of(512)
    chosen = []
    for _ in range(200):
        tokens = sizer.tokens(1, look=True)
        chosen.append(tokens)
        sizer.record(1, tokens, tokens, seconds(tokens), memory=None)
    assert sizer.tokens(1) == 512
    assert chosen.count(512) > 100
    # Other sizes are looked at now and then, ever less often.
    assert 0 < sum(tokens != 512 for tokens in chosen[100:]) <= 10


def test_looks_at_slower_sizes_cost_little_beside_what_ran() -> None:
    rates = {512: 99.0, 1024: 100.0, 8192: 50.0}
    sizer = BatchSizer(learned={64: LearnedSize(1024, None, rates, settled=True)})
    chosen = []
    for _ in range(3_000):
        tokens = sizer.tokens(64, look=True)
        chosen.append(tokens)
        sizer.record(64, tokens, tokens // 64, tokens / rates[tokens], memory=None)
    ran = [0, *np.cumsum(chosen)]
    looks = [index for index, tokens in enumerate(chosen) if tokens == 8192]
    assert len(looks) >= 2
    assert ran[looks[0]] >= 100 * 8192
    lost = sum(tokens / rates[tokens] - tokens / 100 for tokens in chosen)
    assert lost < 0.02 * sum(tokens / rates[tokens] for tokens in chosen)
    assert chosen.count(512) > len(looks)


def test_without_leave_to_look_the_best_size_is_used() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 1, cache_of(1024))
    assert {sizer.tokens(1) for _ in range(100)} == {1024}


def test_a_settled_size_gives_way_to_one_that_pads_less() -> None:
    rates = {512: 95.0, 1024: 100.0, 2048: 102.0}
    sizer = BatchSizer(learned={16: LearnedSize(1024, None, rates, settled=True)})
    assert sizer.tokens(16) == 2048
    assert sizer.tokens(16, lambda tokens: 1.0 if tokens <= 512 else 0.9) == 512
    assert sizer.tokens(16, lambda tokens: 0.97 if tokens <= 512 else 0.96) == 2048


def test_a_size_on_trial_that_batches_cannot_fill_asks_for_no_more_of_them() -> None:
    sizer = BatchSizer(start_tokens=256)
    wanted = []
    for _ in range(20):
        wanted.append(sizer.is_wanted(1, 256, 256))
        if wanted[-1]:
            sizer.record(1, 256, 256, 1e-3, memory=None)
    assert not any(wanted[4:])
    assert sizer.tokens(1) == 512
