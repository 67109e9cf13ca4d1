"""Record batches that are read once and given to several."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator

import pyarrow as pa


class Shared:
    """Gives each record batch to all who take part, whoever asks first.

    Those who are given rows may ask in threads of their own.

    Args:
        record_batches: What is read, once.
        count: How many take part.

    Attributes:
        error: What reading has raised; everybody who asks is told.
    """

    def __init__(self, record_batches: Iterable[pa.RecordBatch], count: int) -> None:
        self._given = iter(record_batches)
        self._waiting: list[deque[pa.RecordBatch] | None] = [deque() for _ in range(count)]
        self._lock = threading.Lock()
        self._has_ended = False
        self.error: BaseException | None = None

    def of(self, number: int) -> Iterator[pa.RecordBatch]:
        """Yield the record batches for one of them."""
        while (batch := self._next(number)) is not None:
            yield batch

    def leave(self, number: int) -> None:
        """Keep nothing for one of them any more."""
        with self._lock:
            self._waiting[number] = None

    def _next(self, number: int) -> pa.RecordBatch | None:
        with self._lock:
            mine = self._waiting[number]
            if mine is None:
                return None
            if not mine and not self._read():
                return None
            return mine.popleft()

    def _read(self) -> bool:
        """Read another record batch; return false where there is none."""
        if self.error is not None:
            raise self.error
        if self._has_ended:
            return False
        try:
            batch = next(self._given, None)
        except BaseException as error:
            self.error = error
            raise
        if batch is None:
            self._has_ended = True
            return False
        for waiting in self._waiting:
            if waiting is not None:
                waiting.append(batch)
        return True
