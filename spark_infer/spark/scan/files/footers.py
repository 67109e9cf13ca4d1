"""The footers of Parquet files: what the driver learns of them before a task reads one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.types import DateType, TimestampNTZType, TimestampType

from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.files.types import check_stored, holds, num_leaves
from spark_infer.spark.scan.plan.planned import File, Stored
from spark_infer.spark.scan.refused import NotDirect

_THREADS = 16
_END_BYTES = 64 << 10
_MAGIC = b"PAR1"
_JAVA = "parquet-mr"
"""What Spark and Hive write their files with, by the name that it has in them."""
_VERSION = b"org.apache.spark.version"
_FIRST_CORRECT = {
    "datetime": ((3, 0), b"org.apache.spark.legacyDateTime"),
    "int96": ((3, 1), b"org.apache.spark.legacyINT96"),
}
"""The first Spark that counts days by today's calendar, and its mark of files that do not."""


@dataclass(frozen=True)
class Stamp:
    """What tells a file from another one at its place."""

    num_bytes: int
    mtime_ns: int
    footer_bytes: int
    num_rows: int


@dataclass(frozen=True)
class RowGroup:
    """A row group: how many rows, and how many bytes of the columns that are read."""

    num_rows: int
    num_bytes: int


@dataclass(frozen=True)
class Footer:
    """What is read of a file.

    Attributes:
        stamp: Which file it is.
        fields: Name in the file of each column that is sought; None where it has none.
        groups: Its row groups.
    """

    stamp: Stamp
    fields: tuple[str | None, ...]
    groups: tuple[RowGroup, ...]


@dataclass(frozen=True)
class Reading:
    """How footers are looked at.

    Attributes:
        columns: What is sought in the files.
        is_case_sensitive: Whether names differ by case.
        rebase: Spark's modes for files that do not tell their calendar, ``datetime`` and ``int96``.
    """

    columns: tuple[Stored, ...]
    is_case_sensitive: bool
    rebase: Mapping[str, str]

    def footers(
        self, files: Sequence[File], stores: Mapping[tuple[str, str], Store]
    ) -> list[Footer]:
        """Read the footers of files.

        Raises:
            NotDirect: One cannot be read here, or holds a column that Arrow may read otherwise.
        """
        opened = {place: store.open() for place, store in stores.items()}

        def read(file: File) -> Footer:
            place = (file.scheme, file.authority)
            path = stores[place].path(file.authority, file.path)
            try:
                return self._footer(file, opened[place], path)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise NotDirect(f"the driver cannot read {path}: {_line(error)}") from None
            except NotDirect as error:
                raise NotDirect(f"{error} ({path})") from None

        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(read, files))

    def _footer(self, file: File, filesystem: Any, path: str) -> Footer:
        info = filesystem.get_file_info(path)
        if info.size != file.num_bytes:
            raise NotDirect("it is not as long as it was when Spark listed it")
        with filesystem.open_input_file(path) as source:
            end = _end(source, info.size)
        parquet = pq.ParquetFile(pa.BufferReader(end))
        metadata, schema = parquet.metadata, parquet.schema_arrow
        # A signature follows what is not all of it encrypted. Arrow ends the process when it is
        # asked for the size of a column whose key it has not.
        if metadata.serialized_size != _footer_bytes(end):
            raise NotDirect("columns of it are encrypted")
        leaves = [parquet.schema.column(at) for at in range(len(parquet.schema))]
        ends = list(accumulate(num_leaves(field.type) for field in schema))
        if sum(ends[-1:]) != len(leaves):
            raise NotDirect("Arrow and Parquet count its columns differently")
        fields: list[str | None] = []
        read: list[int] = []
        for column in self.columns:
            at = self._position(column.name, schema)
            if at is None:
                fields.append(None)
                continue
            places = range(ends[at - 1] if at else 0, ends[at])
            check_stored(column.kind, schema.field(at), [leaves[place] for place in places])
            _check_writer(column, metadata, [leaves[place] for place in places])
            self._check_calendar(column, metadata, [leaves[place] for place in places])
            fields.append(schema.field(at).name)
            read.extend(places)
        groups = []
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            sizes = (group.column(place).total_uncompressed_size for place in read)
            groups.append(RowGroup(group.num_rows, sum(sizes)))
        stamp = Stamp(info.size, info.mtime_ns or 0, metadata.serialized_size, metadata.num_rows)
        return Footer(stamp, tuple(fields), tuple(groups))

    def _position(self, name: str, schema: pa.Schema) -> int | None:
        """Return the place of a column in a file, found as Spark finds it."""
        same = [at for at, there in enumerate(schema.names) if self._is_same(name, there)]
        if len(same) > 1:
            raise NotDirect(f"it holds several columns of the name {name!r}")
        return same[0] if same else None

    def _is_same(self, name: str, there: str) -> bool:
        return name == there or (not self.is_case_sensitive and name.lower() == there.lower())

    def _check_calendar(self, column: Stored, metadata: Any, leaves: Sequence[Any]) -> None:
        """Prove that days are counted as Arrow counts them: not by the Julian calendar."""
        if not holds(column.kind, DateType, TimestampType, TimestampNTZType):
            return
        said = metadata.metadata or {}
        for kind in {"int96" if leaf.physical_type == "INT96" else "datetime" for leaf in leaves}:
            first, mark = _FIRST_CORRECT[kind]
            if _VERSION in said:
                correct = mark not in said and _version(said[_VERSION]) >= first
            else:
                correct = self.rebase[kind] == "CORRECTED"
            if not correct:
                raise NotDirect(f"the days of column {column.name!r} may be of the Julian calendar")


def _check_writer(column: Stored, metadata: Any, leaves: Sequence[Any]) -> None:
    """Prove that INT96 is a day and a time of it.

    Up to its version 20 at least, Arrow wrote a negative time of day before 1970. That is what
    Spark reads, and no more what Arrow reads.
    """
    writer = str(metadata.created_by)
    if any(leaf.physical_type == "INT96" for leaf in leaves) and not writer.startswith(_JAVA):
        raise NotDirect(f"the times of column {column.name!r} are INT96 that {writer!r} wrote")


def _end(source: Any, num_bytes: int) -> bytes:
    """Return the end of a file from which Arrow can read the footer, in one read of most files."""
    wanted = min(num_bytes, _END_BYTES)
    end = source.read_at(wanted, num_bytes - wanted)
    more = min(num_bytes, _footer_bytes(end) + len(_MAGIC) + 4)
    return bytes(end if more <= wanted else source.read_at(more, num_bytes - more))


def _footer_bytes(end: bytes) -> int:
    """Return the length of a footer; 0 where a file does not end as Parquet does."""
    return int.from_bytes(end[-8:-4], "little") if end[-4:] == _MAGIC else 0


def _version(text: bytes) -> tuple[int, ...]:
    parts = text.decode("utf-8", "replace").split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
