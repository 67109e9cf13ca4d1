from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.model.background import in_background

WAIT = 20.0
"""Longest wait for what must happen; only a failing test waits that long."""


class Source:
    """Counts up, and says what happened to it."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.made = 0
        self.made_one = threading.Semaphore(0)
        self.closed_in: threading.Thread | None = None
        self.thread: threading.Thread | None = None

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> int:
        self.thread = threading.current_thread()
        if self.made == self.stop:
            raise StopIteration
        self.made += 1
        self.made_one.release()
        return self.made - 1

    def close(self) -> None:
        self.closed_in = threading.current_thread()

    def ended(self) -> bool:
        """Tell whether it was closed by the thread that ran it, which is gone."""
        assert self.thread is not None
        return self.closed_in is self.thread and not self.thread.is_alive()


class Marker:
    """Something that a weak reference can point to."""


@given(items=st.lists(st.integers()), capacity=st.integers(1, 5))
def test_items_keep_their_order(items: list[int], capacity: int) -> None:
    assert list(in_background(items, capacity=capacity, name="t")) == items


def test_none_is_an_item() -> None:
    assert list(in_background([None, 0, None], capacity=2, name="t")) == [None, 0, None]


def test_it_runs_in_a_daemon_thread_of_that_name() -> None:
    source = Source(stop=2)
    assert list(in_background(source, capacity=1, name="reader")) == [0, 1]
    assert source.thread is not None
    assert source.thread.name == "reader"
    assert source.thread.daemon
    assert source.ended()


@pytest.mark.parametrize("capacity", [1, 3])
def test_no_more_items_are_made_than_there_is_room_for(capacity: int) -> None:
    source = Source()
    items = in_background(source, capacity=capacity, name="t")
    num_made = 0
    for taken in range(1, 6):
        assert next(items) == taken - 1
        for _ in range(taken + capacity - num_made):
            assert source.made_one.acquire(timeout=WAIT)
        num_made = taken + capacity
        assert source.made == num_made
    items.close()
    assert source.made == num_made
    assert source.ended()


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    source = Source()
    items = in_background(source, capacity=2, name="never started")
    items.close()
    assert source.made == 0
    assert "never started" not in {thread.name for thread in threading.enumerate()}


def test_an_empty_source() -> None:
    source = Source(stop=0)
    assert list(in_background(source, capacity=2, name="t")) == []
    assert source.ended()


def failing_here(error: BaseException) -> Iterator[int]:
    yield 1
    yield 2
    raise error


class Interrupted(BaseException):
    """Like KeyboardInterrupt, which would end the test run."""


@pytest.mark.parametrize(
    "error", [ValueError("broken"), Interrupted("broken"), SystemExit("broken"), MemoryError()]
)
def test_an_error_arrives_after_the_items_with_its_traceback(error: BaseException) -> None:
    items = in_background(failing_here(error), capacity=4, name="t")
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(type(error)) as caught:
        next(items)
    assert caught.value is error
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[-1] == "failing_here"
    assert "test_an_error_arrives_after_the_items_with_its_traceback" in frames


def test_a_source_that_is_no_iterable_fails_in_the_caller() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        next(in_background(3, capacity=1, name="t"))  # type: ignore[arg-type]


def test_an_error_is_let_go_without_the_garbage_collector() -> None:
    def failing() -> Iterator[int]:
        # A frame with a variable that holds its own error would be a cycle.
        yield 1
        raise Interrupted

    gc.collect()
    gc.disable()
    try:
        try:
            list(in_background(failing(), capacity=1, name="t"))
        except Interrupted as error:
            gone = weakref.ref(error)
        assert gone() is None
    finally:
        gc.enable()


def test_an_item_is_let_go_while_the_next_one_is_made() -> None:
    let_go = []

    def makes() -> Iterator[Marker]:
        for _ in range(3):
            item = Marker()
            gone = threading.Event()
            weakref.finalize(item, gone.set)
            yield item
            del item
            let_go.append(gone.wait(WAIT))

    for item in in_background(makes(), capacity=1, name="t"):
        del item
    assert let_go == [True, True, True]


def close(items: Iterator[int]) -> None:
    items.close()  # type: ignore[attr-defined]


def throw(items: Iterator[int]) -> None:
    with pytest.raises(KeyError):
        items.throw(KeyError("in the consumer"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("stop", [close, throw])
@pytest.mark.parametrize("capacity", [1, 2, 8])
@pytest.mark.parametrize("taken", [1, 3])
def test_an_early_stop_ends_the_thread(stop: object, capacity: int, taken: int) -> None:
    source = Source()
    items = in_background(source, capacity=capacity, name="t")
    assert [next(items) for _ in range(taken)] == list(range(taken))
    stop(items)  # type: ignore[operator]
    assert source.ended()


def test_an_exception_in_the_consumer_ends_the_thread() -> None:
    source = Source()

    def consume() -> None:
        for _ in in_background(source, capacity=2, name="t"):
            raise KeyError("in the consumer")

    with pytest.raises(KeyError) as caught:
        consume()
    # The traceback holds the frame that holds the generator.
    del caught
    gc.collect()
    assert source.ended()


def test_an_abandoned_generator_ends_the_thread() -> None:
    source = Source()
    items = in_background(source, capacity=2, name="t")
    next(items)
    del items
    assert source.ended()


def test_a_generator_that_only_the_garbage_collector_finds_ends_the_thread() -> None:
    source = Source()
    cycle: list[object] = [in_background(source, capacity=2, name="t")]
    next(cycle[0])  # type: ignore[call-overload]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert source.ended()


def test_a_generator_dropped_by_its_own_thread() -> None:
    holder = []
    closed = threading.Event()

    def drops_its_consumer() -> Iterator[int]:
        try:
            yield 1
            ready.wait(WAIT)
            holder.clear()
            yield 2
        finally:
            closed.set()

    ready = threading.Event()
    holder.append(in_background(drops_its_consumer(), capacity=2, name="t"))
    assert next(holder[0]) == 1
    ready.set()
    assert closed.wait(WAIT)


def test_finally_of_a_generator_runs_in_the_thread() -> None:
    ran_in = []

    def source() -> Iterator[threading.Thread]:
        try:
            while True:
                yield threading.current_thread()
        finally:
            ran_in.append(threading.current_thread())

    items = in_background(source(), capacity=1, name="t")
    thread = next(items)
    items.close()
    assert ran_in == [thread]
    assert not thread.is_alive()


@pytest.mark.parametrize("taken", [1, 4])
def test_nested_threads_end_together(taken: int) -> None:
    source = Source()
    threads = []

    def doubled(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            threads.append(threading.current_thread())
            yield 2 * item

    reader = in_background(source, capacity=1, name="reader")
    runner = in_background(doubled(reader), capacity=1, name="runner")
    assert [next(runner) for _ in range(taken)] == [0, 2, 4, 6][:taken]
    runner.close()
    # A generator closes what it iterates over when it is dropped, the thread that ran it is over.
    del runner, reader
    assert source.ended()
    assert threads[0] is not source.thread
    assert not threads[0].is_alive()


def test_an_error_passes_through_nested_threads() -> None:
    reader = in_background(failing_here(ValueError("broken")), capacity=2, name="reader")
    runner = in_background(reader, capacity=2, name="runner")
    assert [next(runner), next(runner)] == [1, 2]
    with pytest.raises(ValueError, match="broken") as caught:
        next(runner)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "failing_here"
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"reader", "runner"}


def test_a_failing_close_is_raised_at_the_end() -> None:
    class Fails(Source):
        def close(self) -> None:
            raise OSError("disk full")

    items = in_background(Fails(stop=1), capacity=1, name="t")
    assert next(items) == 0
    with pytest.raises(OSError, match="disk full"):
        next(items)


def test_what_fails_after_the_stop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(Source):
        def close(self) -> None:
            raise OSError("disk full")

    items = in_background(Fails(), capacity=1, name="reader")
    next(items)
    with caplog.at_level(logging.WARNING, "spark_infer"):
        items.close()
    assert "reader failed after its consumer had stopped" in caplog.text
    assert "disk full" in caplog.text


def test_a_source_that_never_returns_does_not_hold_the_consumer() -> None:
    returns = threading.Event()
    threads = []

    def stuck() -> Iterator[int]:
        threads.append(threading.current_thread())
        yield 1
        returns.wait(WAIT)
        yield 2

    items = in_background(stuck(), capacity=2, name="t", stop_seconds=0.01)
    assert next(items) == 1
    items.close()
    assert threads[0].is_alive()
    returns.set()
    threads[0].join(WAIT)
    assert not threads[0].is_alive()


def test_a_process_exits_with_a_generator_half_way() -> None:
    code = """
import itertools
from spark_infer.model.background import in_background
items = in_background(itertools.count(), capacity=2, name="t", stop_seconds=1000)
print(next(items))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
