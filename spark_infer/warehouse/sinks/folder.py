"""A table's folder, on whatever file system Hadoop knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.spark.failures import SPARK_FAILURES

_DAY = 24 * 60 * 60
_STAGING = (".spark-staging-", ".hive-staging_")
_TEMPORARY = "_temporary"


class Folder:
    """The folder in which the files of a table lie.

    Args:
        spark: The session.
        place: Its ``java.net.URI``.
    """

    def __init__(self, spark: SparkSession, place: Any) -> None:
        jvm: Any = spark.sparkContext._jvm
        conf = spark._jsparkSession.sessionState().newHadoopConf()
        path = jvm.org.apache.hadoop.fs.Path(place)
        self._files = path.getFileSystem(conf)
        self._path = self._files.makeQualified(path)
        self._new_path = jvm.org.apache.hadoop.fs.Path

    def __str__(self) -> str:
        return str(self.local or self._path.toString())

    @property
    def local(self) -> Path | None:
        """The folder on this machine; None on another file system."""
        uri = self._path.toUri()
        return Path(uri.getPath()) if uri.getScheme() == "file" else None

    def exists(self) -> bool:
        """Return whether it is there."""
        return bool(self._files.exists(self._path))

    def is_empty(self) -> bool:
        """Return whether nothing stands in it, or it is not there."""
        return next(self._entries(), None) is None

    def sweep(self) -> None:
        """Remove what killed runs staged more than a day ago.

        Only a run of spark_infer is known to be dead when this one holds the table's lock. Other
        programs may be writing, and nobody can ask them; none of their files having changed for a
        day, they are not.
        """
        # What they do not keep still while it is looked at is theirs.
        with suppress(*SPARK_FAILURES):
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
        if self.exists() and self.is_empty():
            self._files.delete(self._path, False)

    def move_aside(self) -> str:
        """Give it another name, beside the old one, and return that."""
        name = f".{self._path.getName()}.left-{time.strftime('%Y%m%dT%H%M%S')}"
        aside = self._new_path(self._path.getParent(), name)
        self._files.rename(self._path, aside)
        return str(aside.toString())

    def _entries(self) -> Iterator[Any]:
        if self.exists():
            yield from self._files.listStatus(self._path)

    def _newest(self, entry: Any) -> float:
        """Return when something in a staging folder changed last, in seconds."""
        newest = float(entry.getModificationTime())
        files = self._files.listFiles(entry.getPath(), True)
        while files.hasNext():
            newest = max(newest, float(files.next().getModificationTime()))
        return newest / 1000


def _is_staging(entry: Any) -> bool:
    name = entry.getPath().getName()
    return bool(name == _TEMPORARY or name.startswith(_STAGING))
