"""One run at a time in a table of rejected rows, on a local file system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spark_infer.warehouse.sinks import Target
from spark_infer.warehouse.sinks.lock import WriterLock
from spark_infer.warehouse.sinks.table import default_folder


@contextmanager
def alone(target: Target) -> Iterator[None]:
    """Keep other runs from a quarantine between reading and writing it.

    Another lock than that of those who write it, which its sink takes meanwhile.
    """
    table = target.table()
    folder = None if table is None else table.folder
    folder = folder or default_folder(target.spark, target.name)
    local = None if folder is None else folder.local
    if local is None:
        yield
    else:
        with WriterLock(local.with_name(f"{local.name}.quarantine")).held(target.config.table):
            yield
