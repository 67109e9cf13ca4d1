"""Record batches to the rows of windows, which are looked at together, and back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import pyarrow as pa

from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.dictionaries import decoded

Table: TypeAlias = "pa.RecordBatch | pa.Table"


class Slots:
    """Places of the windows that may be on their way at once.

    Args:
        count: How many places there are.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = threading.Semaphore(count)
        self._closed = False

    def take(self) -> bool:
        """Wait for a place and take it; false when there will be none."""
        self._free.acquire()
        return not self._closed

    def give_back(self) -> None:
        """Free a place."""
        self._free.release()

    def close(self) -> None:
        """Let nobody take a place any more, nor wait for one."""
        self._closed = True
        self._free.release()


def gather(
    record_batches: Iterable[Table],
    *,
    columns: Sequence[str],
    max_rows: int | None,
    max_bytes: int,
    sizes: deque[int],
) -> Iterator[Table]:
    """Gather record batches into the rows of windows.

    Args:
        record_batches: Record batches of whatever size. Where the schema changes a window ends.
        columns: Those that a window is to have. The bytes of others count, for whoever made the
            record batches keeps them until their predictions come.
        max_rows: Rows of a window of several record batches; None keeps each by itself.
        max_bytes: Bytes of a window. A record batch that is larger comes in pieces.
        sizes: Gets the rows of each record batch, for ``regroup``.
    """
    held: list[Table] = []
    num_rows = num_bytes = 0
    for record_batch in record_batches:
        sizes.append(record_batch.num_rows)
        for piece in _pieces(record_batch, max_rows, max_bytes):
            kept = _only(piece, columns)
            if held and (
                max_rows is None
                or not held[0].schema.equals(kept.schema)
                or num_rows + piece.num_rows > max_rows
                or num_bytes + piece.nbytes > max_bytes
            ):
                yield _joined(held)
                held, num_rows, num_bytes = [], 0, 0
            held.append(kept)
            num_rows += piece.num_rows
            num_bytes += piece.nbytes
        if held and max_rows is None:
            yield _joined(held)
            held, num_rows, num_bytes = [], 0, 0
    if held:
        yield _joined(held)


def regroup(predicted: Iterable[pa.RecordBatch], sizes: deque[int]) -> Iterator[pa.RecordBatch]:
    """Cut predictions into record batches of the sizes that came in."""
    held: list[pa.RecordBatch] = []
    num_rows = 0
    for window in predicted:
        held.append(window)
        num_rows += window.num_rows
        while sizes and num_rows >= sizes[0]:
            size = sizes.popleft()
            joined = _joined(held)
            yield joined.slice(0, size)
            num_rows -= size
            # A record batch without rows belongs to the window that follows or ends here.
            held = [joined.slice(size)]


def _pieces(record_batch: Table, max_rows: int | None, max_bytes: int) -> Iterator[Table]:
    rows = record_batch.num_rows
    if rows and record_batch.nbytes > max_bytes:
        rows = max(rows * max_bytes // record_batch.nbytes, 1)
    if max_rows is not None:
        rows = min(rows, max_rows)
    if rows == record_batch.num_rows:
        yield record_batch
        return
    for start in range(0, record_batch.num_rows, rows):
        yield record_batch.slice(start, rows)


def _only(piece: Table, columns: Sequence[str]) -> Table:
    # Whoever decodes the window says best which column is missing, or there twice.
    if any(piece.schema.get_field_index(name) < 0 for name in columns):
        return piece
    return piece.select(columns)


def _joined(held: list[Table]) -> Table:
    if len(held) == 1:
        return held[0]
    filled = [part for part in held if part.num_rows] or held[:1]
    return filled[0] if len(filled) == 1 else _concat(filled)


def _concat(parts: list[Table]) -> pa.RecordBatch:
    tables = [
        _decoded(part if isinstance(part, pa.Table) else pa.Table.from_batches([part]))
        for part in parts
    ]
    try:
        joined = pa.concat_tables(tables)
        # Where they have more text together than their type counts, a table would keep its chunks.
        columns = [column.combine_chunks() for column in joined.columns]
    except pa.ArrowException as error:
        raise SignatureError(f"record batches that come together do not join: {error}") from None
    return pa.RecordBatch.from_arrays(columns, schema=joined.schema)


def _decoded(table: pa.Table) -> pa.Table:
    """Return columns of dictionaries as their words, of which several may have too many."""
    columns = [decoded(column) for column in table.columns]
    fields = [
        field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)
    ]
    schema = pa.schema(fields, table.schema.metadata)
    return table if schema.equals(table.schema) else pa.Table.from_arrays(columns, schema=schema)
