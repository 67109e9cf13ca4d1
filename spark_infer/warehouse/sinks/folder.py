"""A table's folder, on whatever file system Hadoop knows."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.bundle.files.given import read_given
from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES

_DAY = 24 * 60 * 60
_STAGING = (".spark-staging-", ".hive-staging_")
_TEMPORARY = "_temporary"
_MAX_BYTES = 2**28
"""Most of a file that is read: a journal of a million partitions."""


class Folder:
    """A folder of files, such as a table's; or a file in one.

    Two are equal where they are the same place.

    Args:
        spark: The session.
        place: Its ``java.net.URI``, or the text that ``uri`` gave.
    """

    def __init__(self, spark: SparkSession, place: Any) -> None:
        jvm: Any = spark.sparkContext._jvm
        conf = spark._jsparkSession.sessionState().newHadoopConf()
        self._new_path = jvm.org.apache.hadoop.fs.Path
        path = self._new_path(place)
        self._files = path.getFileSystem(conf)
        self._path = self._files.makeQualified(path)

    @property
    def uri(self) -> str:
        """The folder as text, in which nothing is escaped."""
        return str(self._path.toString())

    def __str__(self) -> str:
        return str(self.local or self.uri)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and self.uri == other.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    @property
    def name(self) -> str:
        """Its last name."""
        return str(self._path.getName())

    @property
    def parent(self) -> Folder:
        """The folder that it is in."""
        return self._other(self._path.getParent())

    @property
    def local(self) -> Path | None:
        """The folder on this machine; None on another file system."""
        uri = self._path.toUri()
        return Path(uri.getPath()) if uri.getScheme() == "file" else None

    def child(self, *names: str) -> Folder:
        """Return what has these names in it."""
        path = self._path
        for name in names:
            # A name with a colon is none of a file system.
            path = self._new_path(path, f"./{name}")
        return self._other(path)

    def children(self) -> list[Folder]:
        """Return the folders in it."""
        return [self._other(e.getPath()) for e in self._entries() if e.isDirectory()]

    def names(self) -> list[str]:
        """Return the names of what stands in it, hidden ones as well."""
        return [str(entry.getPath().getName()) for entry in self._entries()]

    def files(self) -> dict[str, list[str]]:
        """Return the names of the files below it that are not hidden, by the path of their folder.

        The path is relative, with slashes; that of this folder is empty.
        """
        found: dict[str, list[str]] = {}
        for path, _ in self._below(self._path):
            folder, _, name = path.rpartition("/")
            if not name.startswith(("_", ".")):
                found.setdefault(folder, []).append(name)
        return found

    def is_within(self, folder: Folder) -> bool:
        """Return whether it stands in a folder, or below it, wherever links lead."""
        if self.local is None or folder.local is None:
            return self.uri.startswith(f"{folder.uri}/")
        return folder.local.resolve() in self.local.resolve().parents

    def name_below(self, folder: Folder) -> str | None:
        """Return which entry of a folder it is, or stands in; None where it stands elsewhere."""
        within, _, path = self.uri.partition(f"{folder.uri}/")
        return None if within or not path else path.split("/")[0]

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link on this machine."""
        return self.local is not None and self.local.is_symlink()

    def exists(self) -> bool:
        """Return whether it is there."""
        return bool(self._files.exists(self._path))

    def is_empty(self) -> bool:
        """Return whether nothing stands in it, or it is not there."""
        return next(self._entries(), None) is None

    def newest(self) -> float:
        """Return when something in it changed last, in seconds since 1970."""
        return self._newest(self._files.getFileStatus(self._path))

    def make(self) -> None:
        """Make it, and the folders that it is in."""
        self._files.mkdirs(self._path)

    def remove(self) -> None:
        """Remove it and all that is in it, where it is there."""
        self._files.delete(self._path, True)

    def remove_if_empty(self) -> None:
        """Remove it where nothing is in it. What another puts there meanwhile stays."""
        with suppress(*SPARK_FAILURES):  # Hadoop's, that it is not empty any more.
            if self.exists() and self.is_empty():
                self._files.delete(self._path, False)

    def rename(self, to: Folder) -> None:
        """Give it another place, in one step where the file system can.

        Raises:
            WarehouseError: The file system does not.
        """
        if not self._files.rename(self._path, to._path):
            raise WarehouseError(f"{self} cannot be moved to {to}; look whether that is writable")

    def read(self) -> str:
        """Return the text of a file.

        Raises:
            WarehouseError: It is no plain file, no text, or larger than any that is written here.
        """
        try:
            return self._content().decode()
        except UnicodeDecodeError:
            raise WarehouseError(f"{self} cannot be read: it is no text; remove it") from None
        except OSError as error:
            raise WarehouseError(f"{self} cannot be read: {error.strerror}; remove it") from None

    def _content(self) -> bytes:
        if self.local is not None:
            return read_given(self.local, _MAX_BYTES)
        if self._files.getFileStatus(self._path).getLen() > _MAX_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {_MAX_BYTES:,} bytes")
        stream = self._files.open(self._path)
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()

    def write(self, text: str) -> None:
        """Write a file that is not there, in one step."""
        unfinished = self.parent.child(f"_{self.name}")
        stream = self._files.create(unfinished._path, True)
        try:
            stream.write(text.encode())
            stream.hsync()
        finally:
            stream.close()
        unfinished.rename(self)

    def sweep(self) -> None:
        """Remove what killed runs staged more than a day ago.

        Only a run of spark_infer is known to be dead when this one holds the table's lock. Other
        programs may be writing, and nobody can ask them; none of their files having changed for a
        day, they are not.
        """
        # What they do not keep still while it is looked at is theirs.
        with suppress(*SPARK_FAILURES, WarehouseError):
            for entry in self._entries():
                if _is_staging(entry) and time.time() - self._newest(entry) > _DAY:
                    self._files.delete(entry.getPath(), True)

    def has_foreign_writer(self) -> bool:
        """Return whether another program seems to be adding files, which an append would mix in."""
        return any(entry.getPath().getName() == _TEMPORARY for entry in self._entries())

    def remove_temporary(self) -> None:
        """Remove what an append that was killed left, which the next one would publish."""
        self._files.delete(self._new_path(self._path, _TEMPORARY), True)

    def remove_staging(self) -> None:
        """Remove what a write that did not end has staged, and the folder where that was all."""
        for entry in self._entries():
            if _is_staging(entry):
                self._files.delete(entry.getPath(), True)
        self.remove_if_empty()

    def move_aside(self) -> str:
        """Give it another name, beside the old one, and return that."""
        name = f".{self.name}.left-{time.strftime('%Y%m%dT%H%M%S')}"
        aside = self._new_path(self._path.getParent(), name)
        self._files.rename(self._path, aside)
        return str(aside.toString())

    def _other(self, path: Any) -> Folder:
        found = copy(self)
        found._path = path
        return found

    def _entries(self) -> Iterator[Any]:
        if self.exists():
            yield from self._files.listStatus(self._path)

    def _newest(self, entry: Any) -> float:
        """Return when something in a staging folder changed last, in seconds."""
        times = [entry.getModificationTime() / 1000]
        if entry.isDirectory():
            times += (seconds for _, seconds in self._below(entry.getPath()))
        return float(max(times))

    def _below(self, root: Any) -> Iterator[tuple[str, float]]:
        """Yield the relative path of each file below a folder, and when it changed, in seconds."""
        if self.local is not None:
            # Hadoop starts a program for each file of this machine, to ask who may read it.
            yield from _files_below(Path(root.toUri().getPath()))
            return
        listed, start = self._files.listFiles(root, True), len(str(root.toString())) + 1
        while listed.hasNext():
            file = listed.next()
            yield str(file.getPath().toString())[start:], file.getModificationTime() / 1000


def check_no_link(folder: Folder) -> None:
    """Raise WarehouseError where what is cleared away in a folder would be something else."""
    if folder.is_link:
        raise WarehouseError(
            f"{folder} is a symbolic link, and what runs clear away there could be anybody's; "
            "remove the link"
        )


def _files_below(root: Path) -> Iterator[tuple[str, float]]:
    """Yield the relative path of each file below a folder, and when it changed, in seconds.

    Raises:
        WarehouseError: It is not there, or changes meanwhile.
    """
    try:
        with os.scandir(root) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if not entry.is_dir():
                    yield entry.name, entry.stat().st_mtime
                    continue
                for path, seconds in _files_below(root / entry.name):
                    yield f"{entry.name}/{path}", seconds
    except OSError as error:
        raise WarehouseError(f"{root} cannot be listed: {error.strerror}") from None


def _is_staging(entry: Any) -> bool:
    name = entry.getPath().getName()
    return bool(name == _TEMPORARY or name.startswith(_STAGING))
