"""The whole search on devices that are simulated: what it comes to, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from spark_infer.model.sizing import BatchSizer
from spark_infer.model.sizing.sizer import MEMORY_SHARE
from tests.unit.model.sizing.simulation import Cost, Device, cost_of, stream

LARGEST = 1 << 16
SIZES = [1 << exponent for exponent in range(8, 17)]
TOKEN = 1e-6
MIXED = [12, 300, 60] * 24


def per_batch(tokens: int, length: int) -> float:
    """A fixed cost of each batch: larger is always better, less and less so."""
    return 1e-3 + tokens * TOKEN


def alike(tokens: int, length: int) -> float:
    """Nothing but a cost of each token."""
    return tokens * TOKEN


def tiles(tokens: int, length: int) -> float:
    """Work is done in tiles: a part of one takes as long as the whole."""
    return 2e-4 + -(-tokens // 4096) * 4096 * TOKEN


def plateau(tokens: int, length: int) -> float:
    """Three sizes in a row are equally fast, and the next one is faster."""
    return 1e-4 + tokens * TOKEN * (1.0 if tokens <= 6000 else 0.7)


def cliff(tokens: int, length: int) -> float:
    """Beyond a size every token costs half as much again."""
    return 1e-3 + tokens * TOKEN * (1.0 if tokens <= 8192 else 1.5)


def caches(tokens: int, length: int) -> float:
    """Each token costs more for each cache that the batch leaves."""
    step = 1.0 if tokens <= 2048 else 1.1 if tokens <= 16384 else 1.35
    return 5e-4 + tokens * TOKEN * step


def crowded(tokens: int, length: int) -> float:
    """Beyond a size a batch is slower the larger it is."""
    return 3e-4 + tokens * TOKEN * max(1.0, tokens / 4096) ** 0.3


def attention(tokens: int, length: int) -> float:
    """A token costs more in a longer row."""
    return 2e-3 + tokens * TOKEN * (1 + length / 128)


COSTS = [per_batch, alike, tiles, plateau, cliff, caches, crowded, attention]


def excess(cost: Cost, tokens: int, length: int, *, most: int = LARGEST) -> float:
    """Return how much more a token truly costs at a size than at the best power of two."""
    best = min(cost(size, length) / size for size in SIZES if size <= most)
    return cost(tokens, length) / tokens / best - 1


def alike_windows(length: int) -> Iterator[np.ndarray]:
    while True:
        yield np.full(4 * LARGEST // length, length)


def drifting_windows(seed: int, lengths: list[int], num_rows: int) -> Iterator[np.ndarray]:
    """Windows of rows around each of the lengths in turn."""
    random = np.random.default_rng(seed)
    for length in lengths:
        yield np.clip(random.lognormal(np.log(length), 0.5, num_rows).astype(int), 1, 512)


def run(
    sizer: BatchSizer,
    device: Device,
    windows: Iterator[np.ndarray],
    num_batches: int,
    *,
    observes: bool = True,
) -> None:
    while len(device.ran) + len(device.failed) < num_batches:
        stream(sizer, device, [next(windows)], observes=observes)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cost", COSTS)
def test_it_settles_within_three_percent_of_the_best_size(cost: Cost, seed: int) -> None:
    sizer = BatchSizer(max_tokens=LARGEST)
    run(sizer, Device(cost, seed), alike_windows(32), 500)
    choice = sizer.choose(32)
    # Between sizes that are all alike the search may take its time.
    assert not choice.wants_time or cost is alike
    assert excess(cost, choice.tokens, 32) <= 0.03


@pytest.mark.parametrize("cost", COSTS)
def test_what_the_search_tries_costs_little(cost: Cost) -> None:
    device = Device(cost, seed=1)
    run(BatchSizer(max_tokens=LARGEST), device, alike_windows(32), 1000)
    true = sum(cost(*batch) for batch in device.ran)
    best = min(cost(size, 32) / size for size in SIZES)
    assert true <= 1.05 * best * sum(tokens for tokens, _ in device.ran)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cost", COSTS)
def test_a_device_that_is_waited_for_as_little_as_can_be_settles_as_well(
    cost: Cost, seed: int
) -> None:
    """There nothing is looked at again after the search."""
    sizer = BatchSizer(max_tokens=LARGEST)
    run(sizer, Device(cost, seed, spread=0.03), alike_windows(32), 400, observes=False)
    assert excess(cost, sizer.choose(32).tokens, 32) <= 0.03


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cost", [per_batch, plateau, caches, attention])
@pytest.mark.parametrize(
    "lengths", [[300] * 24 + [60] * 24 + [12] * 24, [12] * 24 + [60] * 24 + [300] * 24, MIXED]
)
def test_lengths_that_drift_or_are_mixed(lengths: list[int], cost: Cost, seed: int) -> None:
    """Once a length has been there for a while, all that runs is nearly as fast as can be."""
    device = Device(cost, seed)
    sizer = BatchSizer(max_tokens=LARGEST)
    true = best = 0.0
    times: Counter[int] = Counter()
    for length, window in zip(lengths, drifting_windows(seed, lengths, 4096), strict=True):
        before = len(device.ran)
        stream(sizer, device, [window])
        times[length] += 1
        if times[length] > 16:
            true += sum(cost(*batch) for batch in device.ran[before:])
            best += min(cost_of(window, cost, size) for size in SIZES)
    assert true <= 1.03 * best


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cost", [per_batch, alike, plateau])
@pytest.mark.parametrize("limit", [3_000, 9_000, 40_000])
def test_no_batch_goes_beyond_the_memory_once_that_has_run_out(
    limit: int, cost: Cost, seed: int
) -> None:
    device = Device(cost, seed, limit_bytes=limit)
    sizer = BatchSizer(max_tokens=LARGEST)
    run(sizer, device, alike_windows(32), 500)
    assert len(device.failed) <= 1
    most = device.failed[0][0] // 2 if device.failed else limit
    assert excess(cost, sizer.choose(32).tokens, 32, most=most) <= 0.03
    again = BatchSizer(learned=sizer.learned(), max_tokens=LARGEST)
    device.failed.clear()
    run(again, device, alike_windows(32), 1000)
    assert not device.failed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "lengths", [[300] * 20 + [12] * 20, [12] * 20 + [300] * 20, [12, 300, 60] * 20]
)
def test_longer_rows_that_need_more_memory_run_out_of_it_once_for_each_halving(
    lengths: list[int], seed: int
) -> None:
    def squared(tokens: int, length: int) -> int:
        return tokens * (100 + length)

    device = Device(per_batch, seed, bytes_of=squared, limit_bytes=4_000_000)
    sizer = BatchSizer(max_tokens=LARGEST)
    stream(sizer, device, drifting_windows(seed, lengths, 4096))
    # Whatever failed at a length never runs at it or at a longer one again.
    for index, (tokens, length) in enumerate(device.failed):
        for later, longer in device.failed[index + 1 :]:
            assert later <= tokens // 2 or longer < length
    first = len(device.failed)
    stream(sizer, device, drifting_windows(seed + 100, lengths, 4096))
    assert len(device.failed) - first <= 1
    assert len(device.failed) <= 6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("model_bytes", [0, 60_000])
def test_no_batch_goes_beyond_its_share_of_memory_that_is_reported(
    cost: Cost, seed: int, model_bytes: int
) -> None:
    device = Device(
        cost,
        seed,
        bytes_of=lambda tokens, length: model_bytes + 2 * tokens,
        limit_bytes=100_000,
        reports_memory=True,
        peak_bytes=model_bytes,
    )
    sizer = BatchSizer(max_tokens=LARGEST)
    for _ in range(2):
        sizer.note_idle(device.memory())
        run(sizer, device, alike_windows(32), len(device.ran) + 250)
        assert device.peak_bytes <= MEMORY_SHARE * device.limit_bytes
        # Another process goes on, and there is less memory than there was.
        known = sizer.learned()
        device.limit_bytes, device.peak_bytes = device.peak_bytes * 5 // 4, model_bytes
        sizer = BatchSizer(learned=known, max_tokens=LARGEST)
