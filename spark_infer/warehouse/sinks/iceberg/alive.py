"""Tells which runs go on, on the machine that the table lies on."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spark_infer.bundle.cache.locks import claimed, take
from spark_infer.errors import WarehouseError, is_full

_DAY = dt.timedelta(days=1)


class Alive:
    """A file of each run, which its process keeps locked while it goes on.

    Where the table does not lie on a local file system there are none, and a run counts as dead
    when nothing of it has changed for a day.

    Args:
        folder: Where the files are; None where the table is not on a local file system.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: tuple[Path, int] | None = None

    def begin(self, run_id: str) -> None:
        """Tell others that the run goes on.

        Raises:
            WarehouseError: Another process has told so, or the file cannot be made.
        """
        if self._folder is None:
            return
        file = self._folder / run_id
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held = file, take(file, mode=0o666)
        except BlockingIOError:
            raise WarehouseError(
                f"another process works with run {run_id}; try again when it has ended",
                transient=True,
            ) from None
        except OSError as error:
            raise WarehouseError(
                f"{file} cannot be locked: {error.strerror}; make the table's folder writable",
                transient=is_full(error),
            ) from None

    def end(self) -> None:
        """Tell others that the run has ended."""
        if self._held is None:
            return
        file, descriptor = self._held
        self._held = None
        self._remove(file)
        os.close(descriptor)

    @contextmanager
    def if_dead(self, run_id: str, changed: dt.datetime) -> Iterator[bool]:
        """Say whether a run has died, and keep it from being taken for a living one.

        Args:
            run_id: The run.
            changed: When something of it changed last.
        """
        file = None if self._folder is None else self._folder / run_id
        if file is None or not file.exists():
            yield dt.datetime.now(dt.timezone.utc) - changed > _DAY
            return
        with claimed(file) as is_ours:
            yield is_ours
            if is_ours:
                self._remove(file)

    def sweep(self) -> None:
        """Remove the files of runs that have died before they had a branch."""
        if self._folder is None or not self._folder.exists():
            return
        for file in self._folder.iterdir():
            with claimed(file) as is_ours:
                if is_ours:
                    self._remove(file)

    def _remove(self, file: Path) -> None:
        with suppress(OSError):
            file.unlink()
