"""Timestamps of 96 bits: a day, counted from 4714 BC, and a time of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pat

_MAX_SECONDS = (2**63 - 1) // 1_000_000
"""Of the last microsecond that 64 bits hold."""


class Chosen(Protocol):
    """What of a file is read."""

    @property
    def groups(self) -> tuple[int, ...]:
        """Row groups."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Columns."""
        ...


class Misread(Exception):
    """Arrow reads times as other ones; the text names their column."""


def check_times(parquet: pq.ParquetFile, source: Any, part: Chosen, batch_rows: int) -> None:
    """Prove that Arrow reads the times in columns of a file as Spark does.

    Spark counts days before the first one below zero, and passes over the largest number of 64 bits
    in its sums. To Arrow a day is at least zero: it makes some other time of such a one, and none
    that would tell, but for a number of seconds that no microsecond has.

    Args:
        parquet: The file.
        source: What it is read from.
        part: What of it is read.
        batch_rows: Rows to look at in one go.

    Raises:
        Misread: It reads others.
    """
    names = part.names
    paths = [
        leaf.path
        for leaf in map(parquet.schema.column, range(len(parquet.schema)))
        if leaf.physical_type == "INT96"
        and any(leaf.path == name or leaf.path.startswith(f"{name}.") for name in names)
    ]
    if not paths:
        return
    seconds = pq.ParquetFile(
        source, metadata=parquet.metadata, pre_buffer=False, coerce_int96_timestamp_unit="s"
    )
    batches = seconds.iter_batches(
        batch_rows, row_groups=list(part.groups), columns=paths, use_threads=False
    )
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for times in _times(column):
                last = pc.max(times.view(pa.int64())).as_py()
                if last is not None and last > _MAX_SECONDS:
                    raise Misread(name)


def _times(column: pa.Array) -> Iterator[pa.Array]:
    """Yield the timestamps in a column, at whatever depth."""
    if pat.is_timestamp(column.type):
        yield column
    elif pat.is_struct(column.type):
        for field in column.flatten():
            yield from _times(field)
    else:
        yield from _times(column.flatten())
