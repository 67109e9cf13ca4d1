"""The folder of one run: its rows, and the journal of their publication."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spark_infer.bundle.cache.locks import claimed, take
from spark_infer.errors import WarehouseError, is_full
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.warehouse.sinks.files.journal import Journal, damaged
from spark_infer.warehouse.sinks.folder import Folder, check_no_link

_PUBLISHING = "publishing.json"
_PUBLISHED = "published.json"
_CLEARED = "cleared.json"
_ALIVE = "alive"
_KEPT = "kept.json"
_LASTING = (_PUBLISHING, _PUBLISHED, _CLEARED, _KEPT)
"""What the journal is called, which a run whose rows are staged has not; and what keeps these."""
_DAY = 24 * 60 * 60
KEPT_DAYS = 7
"""How long the rows of a run stay that its gate has stopped."""


class RunFolder:
    """The files of one run.

    A file that its process keeps locked tells that the run goes on, on a local file system; on
    another one a run counts as dead when nothing of it has changed for a day.

    Args:
        folder: The folder; it is made by ``begin``.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._local: Path | None = None
        self._alive: int | None = None

    @property
    def rows(self) -> Folder:
        """Where its rows are."""
        return self.folder.child("rows")

    def begin(self) -> None:
        """Make the folder, and tell others that the run goes on.

        Raises:
            WarehouseError: It cannot be made.
        """
        check_no_link(self.folder.parent)
        self.folder.make()
        self.hold()

    def hold(self) -> None:
        """Tell others that a process works with the folder, which is there.

        Raises:
            WarehouseError: Another one does, or that cannot be told.
        """
        self._local = self.folder.local
        if self._local is None:
            return
        try:
            self._alive = take(self._local / _ALIVE)
        except BlockingIOError:
            raise WarehouseError(
                f"another process works with {self._local}; try again when it has ended",
                transient=True,
            ) from None
        except OSError as error:
            raise WarehouseError(
                f"{self._local / _ALIVE} cannot be locked: {error.strerror}; make the "
                "table's folder writable",
                transient=is_full(error),
            ) from None

    def end(self) -> None:
        """Tell others that the run has ended. Its rows are dropped unless published or kept."""
        if self._local is not None:
            # Not by the JVM, which may be gone.
            if not any((self._local / name).exists() for name in _LASTING):
                shutil.rmtree(self._local, ignore_errors=True)
                with suppress(OSError):  # Other runs are there.
                    self._local.parent.rmdir()
        else:
            with suppress(*SPARK_FAILURES):  # The next run clears away.
                if not any(self.folder.child(name).exists() for name in _LASTING):
                    self.remove()
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    def remove(self) -> None:
        """Remove the folder, and the one that it is in where that was all."""
        parent = self.folder.parent
        self.folder.remove()
        parent.remove_if_empty()

    def move(self, to: Folder) -> None:
        """Give it another place, and remove the folder that it was in where that was all."""
        before = self.folder.parent
        to.parent.make()
        self.folder.rename(to)
        self.folder = to
        self._local = to.local
        before.remove_if_empty()

    @property
    def is_being_published(self) -> bool:
        """Whether publication has begun, and not ended."""
        return self.folder.child(_PUBLISHING).exists()

    @property
    def is_published(self) -> bool:
        """Whether publication has ended."""
        return any(self.folder.child(name).exists() for name in (_PUBLISHED, _CLEARED))

    def journal(self) -> Journal:
        """Return the journal of a publication.

        Raises:
            WarehouseError: It is damaged.
        """
        file = self.folder.child(_PUBLISHED)
        if not file.exists():
            file = self.folder.child(_PUBLISHING)
        where = f"journal {file}"
        journal = Journal.from_text(file.read(), where=where)
        if journal.run_id != self.folder.name:
            raise damaged(where)
        return journal

    def begin_publishing(self, journal: Journal) -> None:
        """Write the journal, in one step."""
        self.folder.child(_PUBLISHING).write(journal.to_text())

    def end_publishing(self) -> None:
        """Remember that all of the journal is done."""
        self.folder.child(_PUBLISHING).rename(self.folder.child(_PUBLISHED))

    def keep(self, text: str) -> None:
        """Have what is staged stay when the run ends, and when others clear away.

        Args:
            text: What is to be known of it.
        """
        self.folder.child(_KEPT).write(text)

    def kept(self) -> str | None:
        """Return what was said when it was kept; None where it was not."""
        file = self.folder.child(_KEPT)
        return file.read() if file.exists() else None

    @property
    def is_kept(self) -> bool:
        """Whether what is staged is kept, which ends by itself after seven days."""
        file = self.folder.child(_KEPT)
        return file.exists() and time.time() - file.newest() < KEPT_DAYS * _DAY

    @property
    def is_to_clear(self) -> bool:
        """Whether it was published more than a day ago, and what it has replaced is still there."""
        published = self.folder.child(_PUBLISHED)
        return published.exists() and time.time() - published.newest() > _DAY

    def end_clearing(self) -> None:
        """Remember that what the run has replaced is gone."""
        self.folder.child(_PUBLISHED).rename(self.folder.child(_CLEARED))

    @contextmanager
    def if_dead(self) -> Iterator[bool]:
        """Say whether the run has died, and keep it from being taken for a living one."""
        local = self.folder.local
        if local is None or not (local / _ALIVE).exists():
            # Without the file it may be about to make it.
            yield time.time() - self.folder.newest() > _DAY
        else:
            with claimed(local / _ALIVE) as is_ours:
                yield is_ours
