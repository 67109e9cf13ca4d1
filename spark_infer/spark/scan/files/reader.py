"""Parquet files to record batches, in a task."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pat

from spark_infer.errors import WarehouseError
from spark_infer.metrics import Metrics
from spark_infer.spark.scan.files.footers import Stamp
from spark_infer.spark.scan.files.int96 import Misread, check_times
from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.plan.expressions import Condition
from spark_infer.tensors.arrow.leaves import plain

_BATCH_BYTES = 8 << 20
"""About what a record batch has: large enough for NumPy, small enough for a core's cache."""
_BATCH_ROWS = (1024, 65_536)
_BUFFER_BYTES = {"local": 1 << 20, "s3": 8 << 20}
_BUFFERS_BYTES = 64 << 20
"""What is read at once of each column of a row group, of which no more is held; and of all."""


@dataclass(frozen=True)
class Part:
    """Row groups of one file, and what becomes of them.

    Attributes:
        path: In its store.
        store: Where the file is.
        stamp: Which file it was when the read was planned.
        groups: The row groups.
        num_rows: Rows in them.
        num_bytes: Bytes in them of the columns that are read.
        columns: Of each column its name in the file, or the array of its one value.
    """

    path: str
    store: Store
    stamp: Stamp
    groups: tuple[int, ...]
    num_rows: int
    num_bytes: int
    columns: tuple[str | pa.Array, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the file that are read."""
        return tuple(sorted({column for column in self.columns if isinstance(column, str)}))


@dataclass(frozen=True)
class Reader:
    """Reads what a task is given.

    Attributes:
        tasks: Parts of each task, pickled, since each needs but its own.
        types: Arrow type of each column.
        conditions: Which rows are wanted.
        num_outputs: How many of the columns are handed on; the others are only compared.
    """

    tasks: tuple[bytes, ...]
    types: tuple[pa.DataType, ...]
    conditions: tuple[Condition, ...]
    num_outputs: int

    def read(self, task: int, metrics: Metrics) -> Iterator[pa.RecordBatch]:
        """Return the record batches of a task, whose columns are named by their places.

        Rows and bytes of each file are counted when it has been read.

        Raises:
            WarehouseError: A file cannot be read, is another one than when the read was planned, or
                holds times that Arrow reads as other ones.
        """
        for part in pickle.loads(self.tasks[task]):  # noqa: S301 - the driver's, as this function
            yield from self._part(part)
            metrics.num_read += part.num_rows
            metrics.num_read_bytes += part.num_bytes

    def _part(self, part: Part) -> Iterator[pa.RecordBatch]:
        filesystem = part.store.open()
        try:
            _check_stamp(part, filesystem)
            with filesystem.open_input_file(part.path) as source:
                parquet = pq.ParquetFile(
                    source,
                    pre_buffer=False,
                    buffer_size=_buffer_bytes(part),
                    page_checksum_verification=True,
                    # Nanoseconds do not reach the years before 1677 and after 2262.
                    coerce_int96_timestamp_unit="us",
                )
                metadata = parquet.metadata
                if (metadata.serialized_size, metadata.num_rows) != (
                    part.stamp.footer_bytes,
                    part.stamp.num_rows,
                ):
                    raise _changed(part)
                check_times(parquet, source, part, _batch_rows(part))
                for stored in _stored(parquet, part):
                    if made := self._made(stored, part):
                        yield made
            _check_stamp(part, filesystem)
        except Misread as error:
            raise WarehouseError(
                f"file {part.path} holds a time in column {str(error)!r} that is before the year "
                "-4712, or one of the last that Spark can tell, and Arrow reads those of INT96 as "
                "others; set scan to 'jvm', so that Spark reads it"
            ) from None
        except (OSError, ValueError, pa.ArrowException) as error:
            said = " ".join(str(error).split())[:300]
            raise WarehouseError(
                f"file {part.path} cannot be read: {said}; check that the executors can read it, "
                "or set scan to 'jvm', so that Spark reads it"
            ) from None

    def _made(self, stored: pa.RecordBatch, part: Part) -> pa.RecordBatch | None:
        rows = stored.num_rows
        columns = [
            _conformed(_found(stored, column), kind)
            if isinstance(column, str)
            else _repeated(column, rows)
            for column, kind in zip(part.columns, self.types, strict=True)
        ]
        outputs = columns[: self.num_outputs]
        names = [str(place) for place in range(len(outputs))]
        if not self.conditions:
            return pa.RecordBatch.from_arrays(outputs, names=names)
        met = reduce(pc.and_kleene, (test.met(columns[test.column]) for test in self.conditions))
        batch = pa.RecordBatch.from_arrays(outputs, names=names).filter(met)
        return batch if batch.num_rows else None


def _buffer_bytes(part: Part) -> int:
    return min(_BUFFER_BYTES[part.store.kind], _BUFFERS_BYTES // max(1, len(part.names)))


def _batch_rows(part: Part) -> int:
    least, most = _BATCH_ROWS
    return max(least, min(most, _BATCH_BYTES * part.num_rows // max(1, part.num_bytes)))


def _stored(parquet: pq.ParquetFile, part: Part) -> Iterator[pa.RecordBatch]:
    """Return the columns of the file that are read, whatever their order."""
    names, rows = part.names, _batch_rows(part)
    if names:
        yield from parquet.iter_batches(
            rows, row_groups=list(part.groups), columns=list(names), use_threads=False
        )
        return
    for start in range(0, part.num_rows, rows):
        count = min(rows, part.num_rows - start)
        yield pa.RecordBatch.from_arrays([pa.nulls(count)], names=["none"])


def _found(stored: pa.RecordBatch, name: str) -> pa.Array:
    at = stored.schema.get_field_index(name)
    assert at >= 0, f"{name!r} is not among {stored.schema.names}"
    return stored.column(at)


def _check_stamp(part: Part, filesystem: Any) -> None:
    info = filesystem.get_file_info(part.path)
    if (info.size, info.mtime_ns or 0) != (part.stamp.num_bytes, part.stamp.mtime_ns):
        raise _changed(part)


def _changed(part: Part) -> WarehouseError:
    return WarehouseError(
        f"file {part.path} was replaced or removed after the read was planned; run it again",
        transient=True,
    )


def _repeated(value: pa.Array, count: int) -> pa.Array:
    return pa.repeat(value[0], count) if value.null_count == 0 else pa.nulls(count, value.type)


def _conformed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column in the type that Spark has for it, which the file's was proven to be."""
    column = plain(column)
    if column.type.equals(kind):
        return column
    if pat.is_list(column.type):
        return _conformed_list(column, kind)
    if pat.is_struct(kind):
        return _conformed_struct(column, kind)
    if pat.is_list(kind):
        # Large and fixed-size lists.
        element = column.type.value_type
        return _conformed_list(column.cast(pa.list_(element)), kind)
    return column.cast(kind)


def _conformed_list(column: pa.ListArray, kind: pa.ListType) -> pa.Array:
    values = _conformed(column.values, kind.value_type)
    mask = column.is_null() if column.null_count else None
    offsets = column.offsets
    if mask is not None and offsets.offset:
        offsets = pa.concat_arrays([offsets])
    return pa.ListArray.from_arrays(offsets, values, kind, mask=mask)


def _conformed_struct(column: pa.StructArray, kind: pa.StructType) -> pa.Array:
    names = [column.type.field(at).name for at in range(column.type.num_fields)]
    children = column.flatten()
    wanted = [kind.field(at) for at in range(kind.num_fields)]
    fields = [_conformed(children[names.index(field.name)], field.type) for field in wanted]
    mask = column.is_null() if column.null_count else None
    return pa.StructArray.from_arrays(fields, names=[field.name for field in wanted], mask=mask)
