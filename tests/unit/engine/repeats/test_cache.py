from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.engine.repeats.cache import PredictionCache, RowOutputs

LARGE = 1 << 30


def hashes(*numbers: int) -> npt.NDArray[np.uint64]:
    return np.array([[number, number << 32] for number in numbers], np.uint64).reshape(-1, 2)


def row(number: int, size: int = 1) -> RowOutputs:
    return (np.array(number), np.full(size, number, np.float32))


def put(cache: PredictionCache, *numbers: int, size: int = 1) -> None:
    cache.put(hashes(*numbers), [row(number, size) for number in numbers])


def get(cache: PredictionCache, *numbers: int) -> list[int | None]:
    """Return what the cache knows, checked to belong to the number."""
    found = []
    for number, entry in zip(numbers, cache.get(hashes(*numbers)), strict=True):
        if entry is not None:
            assert [array.dtype for array in entry] == [np.int64, np.float32]
            assert all((array == number).all() for array in entry)
        found.append(None if entry is None else number)
    return found


def bytes_of(size: int = 1) -> int:
    """Return what one entry of ``row`` takes."""
    cache = PredictionCache(LARGE)
    put(cache, 0, size=size)
    return cache.num_bytes


@given(
    steps=st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 7), max_size=4)), max_size=20),
    room=st.integers(0, 6),
)
def test_the_least_recently_used_go_first(steps: list[tuple[bool, list[int]]], room: int) -> None:
    size = bytes_of()
    cache = PredictionCache(room * size + size // 2)
    recent: list[int] = []
    for is_put, numbers in steps:
        if is_put:
            put(cache, *numbers)
            for number in numbers:
                recent = [other for other in recent if other != number] + [number]
            recent = recent[len(recent) - min(room, len(recent)) :]
        else:
            assert get(cache, *numbers) == [n if n in recent else None for n in numbers]
            for number in numbers:
                if number in recent:
                    recent = [other for other in recent if other != number] + [number]
        assert (cache.num_entries, cache.num_bytes) == (len(recent), len(recent) * size)


def test_a_row_that_was_asked_for_outlives_one_that_was_stored_later() -> None:
    cache = PredictionCache(2 * bytes_of())
    put(cache, 1, 2)
    assert get(cache, 1) == [1]
    put(cache, 3)
    assert get(cache, 1, 2, 3) == [1, None, 3]


@given(sizes=st.lists(st.integers(0, 500), max_size=30), max_bytes=st.integers(0, 5000))
def test_bytes_stay_within_the_limit_whatever_the_sizes(sizes: list[int], max_bytes: int) -> None:
    cache = PredictionCache(max_bytes)
    for index, size in enumerate(sizes):
        put(cache, index % 5, size=size)
        assert cache.num_bytes <= max_bytes
        stored = get(cache, index % 5) == [index % 5]
        assert stored == (bytes_of(size) <= max_bytes)
    assert (cache.num_bytes == 0) == (cache.num_entries == 0)


def test_an_entry_larger_than_the_limit_pushes_no_other_out() -> None:
    cache = PredictionCache(2 * bytes_of())
    put(cache, 1, 2)
    put(cache, 3, size=10_000)
    assert get(cache, 1, 2, 3) == [1, 2, None]


def test_a_cache_of_no_bytes_stores_nothing() -> None:
    cache = PredictionCache(0)
    cache.put(hashes(1), [()])
    put(cache, 1)
    assert cache.get(hashes(1)) == [None]
    assert (cache.num_entries, cache.num_bytes) == (0, 0)


def test_a_hash_that_is_put_again_takes_the_new_outputs_and_their_size() -> None:
    cache = PredictionCache(LARGE)
    put(cache, 1, size=5)
    cache.put(hashes(1), [(np.arange(100),)])
    [found] = cache.get(hashes(1))
    assert found is not None
    np.testing.assert_array_equal(found[0], np.arange(100))
    assert cache.num_entries == 1
    other = PredictionCache(LARGE)
    other.put(hashes(2), [(np.arange(100),)])
    assert cache.num_bytes == other.num_bytes


def test_both_halves_of_a_hash_count_and_trailing_zeros_do() -> None:
    cache = PredictionCache(LARGE)
    keys = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.uint64)
    cache.put(keys, [(np.array(index),) for index in range(4)])
    assert [int(found[0]) for found in cache.get(keys[::-1]) if found] == [3, 2, 1, 0]


def test_outputs_keep_their_dtype_and_shape() -> None:
    cache = PredictionCache(LARGE)
    given = (np.zeros((), np.float16), np.zeros((0, 3), np.int8), np.array([True]), np.eye(3)[:, 1])
    cache.put(hashes(1), [given])
    [found] = cache.get(hashes(1))
    assert found is not None
    for got, want in zip(found, given, strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


def test_a_batch_is_not_kept_in_memory_and_may_be_overwritten() -> None:
    cache = PredictionCache(LARGE)
    batch = np.arange(1000.0)
    gone = weakref.ref(batch)
    cache.put(hashes(1), [(batch[3:5],)])
    batch[:] = -1
    del batch
    gc.collect()
    assert gone() is None
    [found] = cache.get(hashes(1))
    assert found is not None
    assert found[0].tolist() == [3, 4]


def test_what_it_returns_cannot_be_written_to() -> None:
    cache = PredictionCache(LARGE)
    put(cache, 1)
    [found] = cache.get(hashes(1))
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0][...] = 2


@pytest.mark.parametrize("num_rows", [1_100, 5_600, 20_000])
@pytest.mark.parametrize(
    "make",
    [
        lambda index: (np.array(index, np.float32),),
        lambda index: (np.array(index), np.zeros(3), np.zeros((2, 5), np.int8)),
    ],
    ids=["scalar", "three"],
)
def test_its_bytes_are_the_memory_that_it_takes(num_rows: int, make: Any) -> None:
    keys = np.random.default_rng(0).integers(2**63, size=(num_rows, 2), dtype=np.int64)
    rows = [make(index) for index in range(num_rows)]
    cache = PredictionCache(LARGE)
    tracemalloc.start()
    try:
        cache.put(keys.view(np.uint64), rows)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The allocator's own share of small objects is not traced.
    assert 0.7 * cache.num_bytes < taken < cache.num_bytes


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let threads take turns at every opportunity."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("frequent_switches")
def test_threads_may_share_it() -> None:
    cache = PredictionCache(20 * bytes_of())
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        barrier.wait()
        try:
            for _ in range(50):
                numbers = random.integers(40, size=100).tolist()
                put(cache, *numbers)
                get(cache, *numbers)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert cache.num_entries == 20
    assert cache.num_bytes == 20 * bytes_of()
