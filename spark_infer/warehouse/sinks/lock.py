"""One writer for each table, and the memory of a write that did not end."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from spark_infer.bundle.cache.locks import locked
from spark_infer.bundle.documents import shown
from spark_infer.bundle.files.folder import open_plain
from spark_infer.errors import ConfigError, WarehouseError, is_full

_MAX_NAME_BYTES = 255
_log = logging.getLogger(__name__)


class WriterLock:
    """What keeps two runs from writing one table at the same time, on a local file system.

    Two files beside the table's folder: ``.<table>.spark_infer.lock``, which the system unlocks
    when its holder dies, and ``.<table>.spark_infer.unfinished``, which stands there while a run
    writes and stays behind when it is killed. Both concern runs of spark_infer only; other
    programs do not look at them.

    Args:
        folder: The table's folder.

    Raises:
        ConfigError: Its name is too long for those of the files beside it.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = folder.parent / f".{folder.name}.spark_infer.lock"
        self._mark = folder.parent / f".{folder.name}.spark_infer.unfinished"
        num_bytes = len(os.fsencode(self._mark.name))
        if num_bytes > _MAX_NAME_BYTES:
            most = len(os.fsencode(folder.name)) - (num_bytes - _MAX_NAME_BYTES)
            raise ConfigError(
                f"the table's folder {shown(folder.name)} has too long a name for the lock "
                f"that stands beside it; take a name of at most {most} bytes"
            )

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Hold the table alone; wait while another run writes it, and say so.

        Raises:
            WarehouseError: The lock cannot be made.
        """

        def say() -> None:
            _log.warning("another run writes table %s; waiting until it is done", table)

        with ExitStack() as stack:
            try:
                self._lock.parent.mkdir(parents=True, exist_ok=True)
                # Others may write the table as well, where the folder lets them.
                stack.enter_context(locked(self._lock, mode=0o666, on_wait=say))
            except OSError as error:
                raise WarehouseError(
                    f"table {table} cannot be locked, so another run could write it at the "
                    f"same time: {self._lock}: {error.strerror}; make its folder writable",
                    transient=is_full(error),
                ) from None
            yield

    @property
    def was_interrupted(self) -> bool:
        """Whether the last run that wrote the table was killed, or its first write failed."""
        return self._mark.exists()

    def begin(self) -> None:
        """Remember that a write has begun.

        Raises:
            WarehouseError: That cannot be done.
        """
        with self._marking("cannot be made, and nothing was written"):
            # Not touch, which would follow a link that somebody has put there.
            os.close(open_plain(self._mark, os.O_WRONLY | os.O_CREAT, 0o666))

    def end(self) -> None:
        """Remember that it has ended, and left nothing behind.

        Raises:
            WarehouseError: That cannot be done.
        """
        with self._marking("cannot be removed, though the table is written"):
            self._mark.unlink(missing_ok=True)

    @contextmanager
    def _marking(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WarehouseError(
                f"the mark of an unfinished write, {self._mark}, {what}: {error.strerror}; make "
                "its folder writable",
                transient=is_full(error),
            ) from None
