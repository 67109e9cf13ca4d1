"""Batch sizes that are learned: simulated devices stand in for the clock."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.backends import Memory
from spark_infer.model.sizing import BatchSizer, Ceiling, Choice, LearnedSize
from spark_infer.model.sizing.reference import typical
from spark_infer.model.sizing.sizer import bucket_of

Seconds = Callable[[int], float]
C4, C8, C16, C32 = (Ceiling(tokens, 0.0) for tokens in (4, 8, 16, 32))


def overhead(tokens: int) -> float:
    """A device with a fixed cost for each batch: larger is always faster, less and less so."""
    return 1e-3 + tokens * 1e-6


def cache_of(most: int) -> Seconds:
    """A device that is fastest with so many tokens, and slower the further a batch is from it."""
    return lambda tokens: tokens * 1e-6 * (max(tokens, most) / min(tokens, most)) ** 0.3


def is_settled(sizer: BatchSizer, length: int) -> bool:
    return not sizer.choose(length).wants_time


def batch(
    sizer: BatchSizer,
    length: int,
    seconds: Seconds,
    *,
    memory: Memory | None = None,
    look: bool = False,
) -> int:
    """Run a full batch of what is chosen; return its tokens."""
    choice = sizer.choose(length, look=look)
    tokens = max(choice.tokens // length, 1) * length
    sizer.record(choice, length=length, tokens=tokens, seconds=seconds(tokens), memory=memory)
    return tokens


def run(sizer: BatchSizer, length: int, seconds: Seconds) -> list[int]:
    """Run full batches until the search is over; return their tokens."""
    sizes: list[int] = []
    while not is_settled(sizer, length):
        sizes.append(batch(sizer, length, seconds))
        assert len(sizes) < 400
    return sizes


def test_it_starts_small_and_doubles_while_throughput_grows() -> None:
    sizer = BatchSizer(start_tokens=256)
    sizes = run(sizer, 16, overhead)
    assert sizes[0] == 256
    tried = list(dict.fromkeys(sizes))
    assert tried == [256 << step for step in range(len(tried))]
    rate = {tokens: tokens / overhead(tokens) for tokens in sizes}
    assert rate[sizer.choose(16).tokens] >= 0.9 * max(rate.values())


def test_it_settles_at_the_size_that_fits_the_cache() -> None:
    sizer = BatchSizer(start_tokens=256)
    sizes = run(sizer, 1, cache_of(4096))
    assert sizer.choose(1).tokens == 4096
    # Two misses, a few tries each: a worse size costs little.
    assert max(sizes) <= 4 * 4096


@given(best=st.integers(8, 16), length=st.integers(1, 64))
def test_it_finds_the_best_power_of_two_in_few_batches(best: int, length: int) -> None:
    sizer = BatchSizer(start_tokens=64)
    sizes = run(sizer, length, cache_of(1 << best))
    assert sizer.choose(length).tokens == 1 << best
    # Three tries for each size that is better, and for two that are not, and for a smaller one
    # again; before each try a batch of the best size.
    assert len(sizes) <= 2 * (3 * (best - 5) + 3 * 2 + 3)


def test_growth_ends_where_a_batch_takes_longer_than_a_second() -> None:
    sizer = BatchSizer(start_tokens=256)
    sizes = run(sizer, 1, lambda tokens: 0.5 + tokens / 1000)
    assert 0.5 + max(sizes) / 1000 < 2.5


def test_growth_ends_below_the_memory_limit() -> None:
    limit = 100 * 2**20
    sizer = BatchSizer(start_tokens=256)
    peak = 0
    for _ in range(200):
        if is_settled(sizer, 1):
            break
        peak = max(peak, 10 * 2**20 + sizer.choose(1).tokens * 1024)
        batch(sizer, 1, overhead, memory=Memory(peak, limit))
    assert is_settled(sizer, 1)
    assert 0.2 * limit < peak < 0.8 * limit


def test_one_disturbed_batch_does_not_end_the_search() -> None:
    sizer = BatchSizer(start_tokens=256)
    tries = 0
    while not is_settled(sizer, 1):
        tries += 1
        disturbed = 10.0 if tries % 3 == 0 else 1.0
        batch(sizer, 1, lambda tokens, disturbed=disturbed: 1e-2 * disturbed + tokens * 1e-7)
    assert sizer.choose(1).tokens >= 1 << 17


def test_disturbed_first_batches_do_not_lead_to_a_size_that_is_larger_than_it_need_be() -> None:
    sizer = BatchSizer(start_tokens=256)
    tries = 0
    while not is_settled(sizer, 1):
        tries += 1
        # The rate is the same for all sizes, but others keep the machine busy at first.
        busy = max(1.0, 3.0 - tries / 4)
        batch(sizer, 1, lambda tokens, busy=busy: tokens * 1e-6 * busy)
    assert sizer.choose(1).tokens == 256


def test_rows_of_another_length_do_not_make_a_size_look_better() -> None:
    sizer = BatchSizer(start_tokens=256)
    # As a window is sorted, so are its lengths: tokens of shorter rows cost less.
    lengths = np.geomspace(256, 65, 40).astype(int).tolist()
    for _ in range(10):
        for length in lengths:
            rate = 1e-6 * length**0.5
            batch(
                sizer, length, lambda size, rate=rate: size * rate * (1.1 if size > 1024 else 1.0)
            )
    assert is_settled(sizer, 256)
    assert sizer.choose(256).tokens <= 1024


def test_batches_that_do_not_fill_the_size_say_nothing() -> None:
    sizer = BatchSizer(start_tokens=256)
    for tokens in (1, 100, 128):
        for _ in range(5):
            sizer.record(sizer.choose(1), length=1, tokens=tokens, seconds=1e-9)
    assert sizer.choose(1).tokens == 256
    assert sizer.learned() == {}


def test_a_row_longer_than_the_size_counts() -> None:
    sizer = BatchSizer(start_tokens=16)
    run(sizer, 300, cache_of(1))
    assert sizer.choose(300).tokens >= 300


def test_a_distant_bucket_starts_from_its_neighbor_and_may_go_down() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 16, cache_of(8192))
    assert sizer.choose(16).tokens == 8192
    assert sizer.choose(128).tokens == 8192
    sizes = run(sizer, 128, cache_of(2048))
    assert sizes[0] == 8192
    assert sizer.choose(128).tokens == 2048
    assert sizer.choose(16).tokens == 8192


def test_near_buckets_follow_one_that_has_settled() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 16, cache_of(8192))
    for length in (2, 5, 16, 17, 64):
        assert is_settled(sizer, length)
        assert sizer.choose(length).tokens == 8192
    assert not is_settled(sizer, 1)
    assert not is_settled(sizer, 65)
    assert {bucket: size.tokens for bucket, size in sizer.learned().items()} == {16: 8192}
    sizer.lower(64, 4096)
    assert (sizer.choose(16).tokens, sizer.choose(64).tokens, sizer.choose(256).tokens) == (
        8192,
        2048,
        2048,
    )


def test_a_larger_size_is_not_tried_where_it_would_pad_too_much() -> None:
    sizer = BatchSizer(start_tokens=256)
    for _ in range(2):
        batch(sizer, 16, lambda tokens: 1.0)
    sizer.record(Choice(256, "compare", 16), length=16, tokens=256, seconds=1.0)
    assert sizer.choose(16).tokens == 512
    assert sizer.choose(16, lambda tokens: 0.95 if tokens > 256 else 1.0).tokens == 512
    assert sizer.choose(16, lambda tokens: 0.85 if tokens > 256 else 1.0).tokens == 256
    sizer.record(Choice(256, "compare", 16), length=16, tokens=256, seconds=1.0)
    assert sizer.choose(16).tokens == 512


@pytest.mark.parametrize("settled", [True, False])
def test_out_of_memory_lowers_this_and_longer_buckets_for_good(settled: bool) -> None:
    sizer = BatchSizer(start_tokens=256)
    for length in (4, 16, 64):
        if settled:
            run(sizer, length, cache_of(8192))
        else:
            batch(sizer, length, lambda tokens: 1.0)
    assert sizer.ceiling(16) == sys.maxsize
    sizer.lower(16, 4096)
    assert (sizer.ceiling(16), sizer.ceiling(64), sizer.ceiling(4000)) == (2048, 2048, 4000)
    assert sizer.ceiling(4) == sys.maxsize
    for length in (16, 64, 256):
        run(sizer, length, cache_of(8192))
        assert sizer.choose(length).tokens <= 2048
    run(sizer, 4, cache_of(8192))
    assert sizer.choose(4).tokens == 8192


@pytest.mark.parametrize("num_batches", range(1, 30))
def test_out_of_memory_at_any_time_leaves_a_search_that_ends(num_batches: int) -> None:
    for most in (512, 1024, 2048):
        sizer = BatchSizer(start_tokens=256)
        for _ in range(num_batches):
            batch(sizer, 1, cache_of(1024), look=True)
        sizer.lower(1, 2 * most)
        run(sizer, 1, cache_of(1024))
        assert sizer.choose(1).tokens == min(most, 1024)
        assert max(sizer.learned()[1].rates) <= most
        chosen = {sizer.choose(1, look=True).tokens for _ in range(500)}
        assert max(chosen) <= most


def test_out_of_memory_after_another_size_became_the_best() -> None:
    known = LearnedSize(1024, None, {512: 0.9, 1024: 1.0, 4096: 0.98}, settled=True)
    sizer = BatchSizer(learned={1: known}, start_tokens=256)
    for _ in range(200):
        batch(sizer, 1, cache_of(4096), look=True)
    assert sizer.choose(1).tokens == 4096
    sizer.lower(1, 4096)
    assert not is_settled(sizer, 1)
    run(sizer, 1, cache_of(4096))
    assert sizer.choose(1).tokens == 2048


def test_what_was_learned_is_where_the_next_one_starts() -> None:
    sizer = BatchSizer(start_tokens=256)
    run(sizer, 16, cache_of(4096))
    sizer.lower(100, 1024)
    learned = sizer.learned()
    assert learned[16].tokens == 4096
    assert learned[16].settled
    again = BatchSizer(learned=learned)
    assert is_settled(again, 16)
    assert again.choose(16).tokens == 4096
    assert (again.ceiling(256), again.choose(256).tokens) == (512, 512)


def test_a_search_that_was_cut_off_goes_on() -> None:
    sizer = BatchSizer(start_tokens=256)
    for _ in range(8):
        batch(sizer, 1, overhead)
    learned = sizer.learned()
    assert (learned[1].tokens, learned[1].settled) == (512, False)
    again = BatchSizer(learned=learned)
    assert run(again, 1, cache_of(8192))[:2] == [512, 1024]
    assert again.choose(1).tokens == 8192


def test_a_search_that_was_cut_off_below_a_limit_is_over() -> None:
    known = LearnedSize(512, Ceiling(512, 0.0), {256: 1.0, 512: 1.2}, settled=False)
    assert is_settled(BatchSizer(learned={1: known}), 1)
    larger = LearnedSize(4096, None, {4096: 1.0}, settled=True)
    small = BatchSizer(learned={1: larger}, start_tokens=256, max_tokens=1024)
    run(small, 1, cache_of(4096))
    assert small.choose(1).tokens == 1024


@pytest.mark.parametrize(
    ("size", "ceiling", "expected"),
    [
        (LearnedSize(8, None, {8: 1.0}, True), None, LearnedSize(8, None, {8: 1.0}, True)),
        (LearnedSize(8, None, {8: 1.0}, True), C16, LearnedSize(8, C16, {8: 1.0}, True)),
        (LearnedSize(8, C32, {8: 1.0, 32: 0.5}, True), C16, LearnedSize(8, C16, {8: 1.0}, True)),
        (LearnedSize(8, C8, {8: 1.0}, True), C16, LearnedSize(8, C8, {8: 1.0}, True)),
        (LearnedSize(8, None, {8: 1.0}, True), C4, LearnedSize(4, C4, {}, False)),
    ],
)
def test_a_size_above_a_ceiling_is_found_anew(
    size: LearnedSize, ceiling: Ceiling | None, expected: LearnedSize
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
    assert sizer.choose(1).tokens == 1024
    # The first batches were disturbed: in truth a smaller size is faster.
    chosen = []
    for _ in range(200):
        chosen.append(batch(sizer, 1, cache_of(512), look=True))
    assert sizer.choose(1).tokens == 512
    assert chosen.count(512) > 100
    # Other sizes are looked at now and then, ever less often.
    assert 0 < sum(tokens != 512 for tokens in chosen[100:]) <= 10


def test_looks_at_slower_sizes_cost_little_beside_what_ran() -> None:
    rates = {512: 99.0, 1024: 100.0, 8192: 50.0}
    sizer = BatchSizer(learned={64: LearnedSize(1024, None, rates, settled=True)})
    chosen = []
    for _ in range(3_000):
        chosen.append(batch(sizer, 64, lambda tokens: tokens / rates[tokens], look=True))
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
    assert {sizer.choose(1).tokens for _ in range(100)} == {1024}


def test_a_settled_size_gives_way_to_one_that_pads_less() -> None:
    rates = {512: 95.0, 1024: 100.0, 2048: 102.0}
    sizer = BatchSizer(learned={16: LearnedSize(1024, None, rates, settled=True)})
    assert sizer.choose(16).tokens == 2048
    assert sizer.choose(16, lambda tokens: 1.0 if tokens <= 512 else 0.9).tokens == 512
    assert sizer.choose(16, lambda tokens: 0.97 if tokens <= 512 else 0.96).tokens == 2048


def test_a_size_on_trial_that_batches_cannot_fill_asks_for_no_more_of_them() -> None:
    sizer = BatchSizer(start_tokens=256)
    wanted = []
    for _ in range(20):
        choice = sizer.choose(1, most=256)
        wanted.append(choice.wants_time)
        sizer.record(choice, length=1, tokens=256, seconds=1e-3)
    assert wanted == [True, True] + [False] * 18
    assert sizer.choose(1).tokens == 512


class Kept:
    """Counts what is kept; reads the sizer, as it may: no lock is held."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.known: list[Mapping[int, LearnedSize]] = []
        self.sizer = BatchSizer(on_keep=self.keep, clock=lambda: self.now)

    def keep(self, known: Mapping[int, LearnedSize]) -> None:
        assert known == self.sizer.learned()
        self.known.append(known)


def test_nothing_is_kept_while_batches_are_recorded() -> None:
    kept = Kept()
    run(kept.sizer, 16, cache_of(1024))
    kept.sizer.lower(64, 1024)
    assert kept.known == []
    kept.sizer.keep()
    assert [known[16].tokens for known in kept.known] == [1024]


def test_what_is_new_is_kept_every_few_seconds_and_at_last() -> None:
    kept = Kept()
    kept.sizer.keep(at_last=True)
    kept.sizer.lower(16, 4096)
    for _ in range(3):
        kept.sizer.keep()
    assert len(kept.known) == 1
    kept.sizer.lower(16, 2048)
    kept.now += 4
    kept.sizer.keep()
    assert len(kept.known) == 1
    kept.now += 2
    kept.sizer.keep()
    assert [known[16].most for known in kept.known] == [2048, 1024]
    kept.sizer.lower(16, 1024)
    for _ in range(3):
        kept.sizer.keep(at_last=True)
    assert [known[16].most for known in kept.known] == [2048, 1024, 512]
    # A clock that is set back delays nothing.
    kept.sizer.lower(16, 512)
    kept.now -= 3600
    kept.sizer.keep()
    assert kept.known[-1][16].most == 256


@pytest.mark.parametrize(
    ("purpose", "wants_time", "wants_memory"),
    [
        ("trial", True, True),
        ("compare", True, True),
        ("settled", True, False),
        ("look", True, False),
        ("use", False, False),
    ],
)
def test_a_choice_says_what_is_wanted_of_its_batch(
    purpose: Any, wants_time: bool, wants_memory: bool
) -> None:
    choice = Choice(8, purpose)
    assert (choice.wants_time, choice.wants_memory) == (wants_time, wants_memory)


def test_choices_that_come_back_late_count_for_the_size_that_they_had() -> None:
    """A device runs batches that were cut before the last step of the search."""
    sizer = BatchSizer(start_tokens=256)
    first = sizer.choose(1)
    late = [first] * 6
    for choice in late:
        sizer.record(choice, length=1, tokens=256, seconds=overhead(256))
    assert sizer.learned()[1].rates == {256: 1.0}
    run(sizer, 1, cache_of(1024))
    before = sizer.learned()
    for choice in (first, Choice(1 << 19, "trial", 1), Choice(1024, "use", 1)):
        sizer.record(choice, length=1, tokens=choice.tokens, seconds=1e-9)
    assert set(sizer.learned()[1].rates) == set(before[1].rates)
    sizer.lower(1, 512)
    for choice in (first, Choice(1024, "settled", 1)):
        sizer.record(choice, length=1, tokens=choice.tokens, seconds=1e-9)
    assert sizer.choose(1).tokens == 256


def test_what_ended_at_a_limit_is_not_settled_for_a_process_with_another_one() -> None:
    sizer = BatchSizer(max_tokens=1024)
    run(sizer, 1, cache_of(8192))
    assert (sizer.learned()[1].tokens, sizer.learned()[1].settled) == (1024, False)
    larger = BatchSizer(learned=sizer.learned())
    assert run(larger, 1, cache_of(8192))[:2] == [1024, 2048]
    assert (larger.learned()[1].tokens, larger.learned()[1].settled) == (8192, True)


def test_a_search_that_goes_on_looks_at_the_memory_first() -> None:
    known = LearnedSize(4096, None, {2048: 1.0, 4096: 1.5}, settled=False)
    sizer = BatchSizer(learned={1: known})
    sizer.note_idle(Memory(10, 100))
    batch(sizer, 1, overhead, memory=Memory(50, 100))
    assert sizer.choose(1).tokens == 2048
    sizer = BatchSizer(learned={1: known})
    sizer.note_idle(Memory(10, 100))
    batch(sizer, 1, overhead, memory=Memory(45, 100))
    assert sizer.choose(1).tokens == 8192


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([2.0], 2.0),
        ([1.0, 2.0], 1.5),
        ([1.0, 5.0, 1.2], 1.2),
        ([0.2, 1.0, 1.2, 5.0], 1.1),
        ([0.1, 0.2, 1.0, 1.1, 1.2, 1.3, 5.0, 6.0], 1.15),
    ],
)
def test_a_typical_rate_is_none_of_the_disturbed_ones(rates: list[float], expected: float) -> None:
    assert typical(rates) == pytest.approx(expected)
