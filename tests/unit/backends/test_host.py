from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from spark_infer.backends import Array, Backend, FunctionBackend, HostBackend


class Counting(HostBackend):
    """Counts its batches."""

    def __init__(self) -> None:
        self.num_batches = 0

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        self.num_batches += 1
        return [np.full(1, self.num_batches)]


def test_a_batch_has_run_when_it_is_submitted() -> None:
    backend = Counting()
    fulfilled: Backend = backend
    pending = [fulfilled.submit({}) for _ in range(3)]
    assert backend.num_batches == 3
    assert [wait()[0].item() for wait in reversed(pending)] == [3, 2, 1]
    assert backend.num_batches == 3


def test_errors_are_raised_when_a_batch_is_submitted() -> None:
    def fail(x: Array) -> Array:
        raise MemoryError

    with pytest.raises(MemoryError):
        FunctionBackend(fail).submit({"x": np.zeros(1)})


def test_memory_is_that_of_the_process() -> None:
    held = np.ones(2**26, np.uint8)
    memory = Counting().memory()
    assert len(held) < memory.peak_bytes < memory.limit_bytes


def test_release_frees_arrays_in_cycles() -> None:
    gc.disable()
    try:
        array = np.zeros(1)
        alive = weakref.ref(array)
        cycle = [array]
        cycle.append(cycle)
        del array, cycle
        assert alive() is not None
        Counting().release()
        assert alive() is None
    finally:
        gc.enable()
