"""Predictions of rows seen before, least recently used first to go."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
RowOutputs = tuple[Array, ...]
"""One array for each output: the output's shape, or (length, ...) where it follows a ragged
input."""

_ENTRY_BYTES = 224
"""What an entry costs beside its arrays: the key, the tuple, a list node, and a slot of a table
that grows by doubling."""
_ARRAY_BYTES = 144
"""What an array costs beside its values and shape: the object, what aligns the values, a place in
the tuple."""
_DIMENSION_BYTES = 16
"""A dimension's length and stride."""


class PredictionCache:
    """Maps row hashes to the rows' outputs, within a number of bytes.

    A cache belongs to one loaded model (digest, device, precision): the keys are the rows' hashes
    alone, so two models that shared a cache would serve each other's predictions. Stochastic
    models must have none. Threads may share it.

    Args:
        max_bytes: Most memory to hold, with the cost of keeping each entry; 0 stores nothing.
    """

    def __init__(self, max_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._entries: OrderedDict[bytes, RowOutputs] = OrderedDict()
        self._lock = threading.Lock()

    def allow(self, max_bytes: int) -> None:
        """Let it hold at least this much."""
        self._max_bytes = max(self._max_bytes, max_bytes)

    @property
    def num_entries(self) -> int:
        """Rows that it holds."""
        return len(self._entries)

    @property
    def num_bytes(self) -> int:
        """Memory that it holds."""
        return self._num_bytes

    def get(self, hashes: npt.NDArray[np.uint64]) -> list[RowOutputs | None]:
        """Return the outputs of each row of hashes of shape (rows, 2), None where unknown.

        The arrays belong to the cache and are read-only.
        """
        with self._lock:
            if not self._entries:
                return [None] * len(hashes)
            found: list[RowOutputs | None] = []
            for key in _keys(hashes):
                entry = self._entries.get(key)
                if entry is not None:
                    self._entries.move_to_end(key)
                found.append(entry)
            return found

    def put(self, hashes: npt.NDArray[np.uint64], rows: Sequence[RowOutputs]) -> None:
        """Store a copy of each row's outputs; a row that alone is over the limit is left out."""
        if not self._max_bytes:
            return
        # Views would keep their whole batches in memory.
        entries = [tuple([np.array(array) for array in row]) for row in rows]
        for entry in entries:
            for array in entry:
                array.setflags(write=False)
        with self._lock:
            for key, entry in zip(_keys(hashes), entries, strict=True):
                self._store(key, entry)

    def _store(self, key: bytes, entry: RowOutputs) -> None:
        before = self._entries.pop(key, None)
        if before is not None:
            self._num_bytes -= _size(before)
        size = _size(entry)
        if size > self._max_bytes:
            return
        self._entries[key] = entry
        self._num_bytes += size
        while self._num_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._num_bytes -= _size(oldest)


def _keys(hashes: npt.NDArray[np.uint64]) -> list[bytes]:
    keys: list[bytes] = np.ascontiguousarray(hashes).view("V16").reshape(-1).tolist()
    return keys


def _size(entry: RowOutputs) -> int:
    size = _ENTRY_BYTES
    for array in entry:
        size += array.nbytes + _ARRAY_BYTES + _DIMENSION_BYTES * array.ndim
    return size
