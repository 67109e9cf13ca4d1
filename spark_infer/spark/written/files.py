"""The files of one task: one for each partition that its rows are in, or a few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pat

from spark_infer.errors import WarehouseError, is_full
from spark_infer.spark.written.layout import Layout
from spark_infer.spark.written.runs import Runs

_MAX_BYTES = 64 * 2**20
"""Arrow bytes that are held for all files, before they become a group of rows in each."""
_MAX_OPEN = 64
"""Files that stay open for more; a task whose rows are in more partitions closes all of them."""
_MAX_GROUP_ROWS = 2**20
Values = tuple[Any, ...]


class Files:
    """Takes rows in any order, and writes them into files by partition.

    Args:
        layout: How rows lie in files.
        name: How the names of the files begin.
    """

    def __init__(self, layout: Layout, name: str) -> None:
        self._layout = layout
        self._name = name
        self._files: dict[Values, _File] = {}
        self._done: list[_File] = []
        self._num_bytes = 0
        self._runs = Runs()

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            for file in self._all():
                file.remove()

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows, whose columns are those that the task returns.

        Raises:
            WarehouseError: They cannot be written.
        """
        if self._layout.key is not None:
            self._runs.add(batch.column(self._layout.key))
        for values, rows in self._parted(batch):
            if values not in self._files:
                number = len(self._done) + len(self._files)
                self._files[values] = _File(self._layout, f"{self._name}-{number}", values)
            self._files[values].add(rows)
        self._num_bytes += batch.nbytes
        if self._num_bytes > _MAX_BYTES:
            self._flush()
            if len(self._files) > _MAX_OPEN:
                self._finish()

    def close(self) -> list[Values]:
        """Write the rest, and return what ``written_schema`` says of each file.

        Raises:
            WarehouseError: It cannot be written.
        """
        self._flush()
        self._finish()
        # The ranges of all of them come with the first.
        runs = [self._runs.bounds if self._layout.key is not None else None]
        runs += [[] for _ in self._done]
        return [
            (file.name, file.rows, file.rejected, bounds, *file.values)
            for file, bounds in zip(self._done, runs, strict=False)
        ]

    def _parted(self, batch: pa.RecordBatch) -> Iterator[tuple[Values, pa.RecordBatch]]:
        """Yield the rows of each partition, in their order."""
        if not self._layout.partition or not batch.num_rows:
            if batch.num_rows:
                yield (), batch
            return
        columns = [batch.column(place) for place in self._layout.partition]
        codes = np.zeros(batch.num_rows, np.int64)
        for column in columns:
            encoded = column.dictionary_encode(null_encoding="encode")
            # Both factors are at most as many as there are rows.
            codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
            codes = np.unique(codes, return_inverse=True)[1]
        order = np.argsort(codes, kind="stable")
        ends = np.flatnonzero(np.diff(codes[order], append=-1)) + 1
        if len(ends) > 1:
            batch = batch.take(pa.array(order))
        for start, end in pairwise([0, *ends.tolist()]):
            at = int(order[start])
            values = tuple(
                _value(column, at, batch.schema.names[place])
                for column, place in zip(columns, self._layout.partition, strict=True)
            )
            yield values, batch.slice(start, end - start)

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()
        self._num_bytes = 0

    def _finish(self) -> None:
        for file in self._files.values():
            file.close()
        self._done += self._files.values()
        self._files.clear()

    def _all(self) -> list[_File]:
        return [*self._files.values(), *self._done]


class _File:
    """One file, which is made when it gets its first group of rows.

    Attributes:
        name: Its name in the layout's folder.
        values: The partition that its rows are in.
        rows: How many it has.
        rejected: How many of them have no prediction.
    """

    def __init__(self, layout: Layout, name: str, values: Values) -> None:
        codec = "" if layout.compression == "NONE" else f".{layout.compression.lower()}"
        self.name = f"{name}{codec}.parquet"
        self.values = values
        self.rows = 0
        self.rejected = 0
        self._layout = layout
        self._path = Path(layout.folder) / self.name
        self._held: list[pa.RecordBatch] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self._held.append(batch)
        self.rows += batch.num_rows
        reasons = batch.column(self._layout.reason)
        self.rejected += batch.num_rows - reasons.null_count

    def flush(self) -> None:
        """Write the rows that are held as a group."""
        if not self._held:
            return
        table = _arranged(pa.Table.from_batches(self._held), self._layout)
        self._held = []
        try:
            if self._writer is None:
                self._writer = _writer(self._path, table.schema, self._layout)
            self._writer.write_table(table, row_group_size=_MAX_GROUP_ROWS)
        except OSError as error:
            raise _unwritten(self._path, error) from None

    def close(self) -> None:
        """End the file."""
        assert self._writer is not None
        self._writer.add_key_value_metadata(dict(self._layout.metadata))
        try:
            self._writer.close()
        except OSError as error:
            raise _unwritten(self._path, error) from None

    def remove(self) -> None:
        """Drop the file, finished or not."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
            with suppress(OSError):
                self._path.unlink()


def _value(column: pa.Array, at: int, name: str) -> Any:
    """Return a value as Arrow takes it back; of a date its days, as Python has too few dates.

    Raises:
        WarehouseError: It is text that no folder's name gives back.
    """
    column = column.slice(at, 1)
    try:
        return (column.view(pa.int32()) if pat.is_date32(column.type) else column)[0].as_py()
    except UnicodeDecodeError:
        raise WarehouseError(
            f"target.partition_by: column {name!r} holds text that is no UTF-8; give such rows "
            "another value with a feature, or remove them with source.filter"
        ) from None


def _arranged(table: pa.Table, layout: Layout) -> pa.Table:
    """Return the columns of a file, under its names and of its types."""
    columns = list(table.columns)
    columns += [_repeated(value, table.num_rows) for value in layout.constants]
    chosen = [
        column if pat.is_dictionary(column.type) else column.cast(field.type)
        for column, field in zip((columns[at] for at in layout.places), layout.schema, strict=True)
    ]
    return pa.Table.from_arrays(chosen, names=layout.schema.names)


def _repeated(value: pa.Scalar, times: int) -> pa.ChunkedArray:
    if not pat.is_string(value.type):
        return pa.chunked_array([pa.repeat(value, times)])
    indices = pa.repeat(pa.scalar(0, pa.int8()), times)
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(indices, pa.array([value.as_py()], value.type))]
    )


def _writer(path: Path, schema: pa.Schema, layout: Layout) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        compression=layout.compression,
        # Numbers that a model computes do not come again.
        use_dictionary=[field.name for field in schema if not _is_float(field.type)],
        use_deprecated_int96_timestamps=layout.has_int96,
        store_schema=False,
        store_decimal_as_integer=True,
        write_page_checksum=True,
    )


def _is_float(kind: pa.DataType) -> bool:
    return bool(pat.is_floating(kind) or (pat.is_list(kind) and _is_float(kind.value_type)))


def _unwritten(path: Path, error: OSError) -> WarehouseError:
    return WarehouseError(
        f"{path} cannot be written: {error.strerror or error}; make room there, or let the "
        "executors write the table's folder",
        transient=is_full(error),
    )
