"""Locks between the processes of a machine. The system drops them when their holder dies.

Files and folders are locked, by one or shared by many, and who waits is woken by the system; the
filelock package locks files alone, for one, and asks again every 50 ms.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spark_infer.bundle.files.folder import open_plain


def take(path: Path, *, mode: int = 0o600, wait: bool = False) -> int:
    """Hold a lock file alone; close the result, or end the process, to let go.

    Args:
        path: The lock file; made when missing.
        mode: Its permissions when it is made.
        wait: Whether to wait while another process or thread holds it.

    Raises:
        BlockingIOError: Another one holds it.
        OSError: It cannot be made, or is no plain file.
    """
    return _lock(
        lambda: open_plain(path, os.O_RDWR | os.O_CREAT, mode),
        path,
        fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB,
    )


@contextmanager
def locked(
    path: Path, *, mode: int = 0o600, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a lock file alone; wait while another process or thread does.

    Args:
        path: The lock file; made when missing.
        mode: Its permissions when it is made.
        on_wait: Called once before waiting.

    Raises:
        OSError: It cannot be made, or is no plain file.
    """
    try:
        descriptor = take(path, mode=mode)
    except BlockingIOError:
        if on_wait is not None:
            on_wait()
        descriptor = take(path, mode=mode, wait=True)
    try:
        yield
    finally:
        os.close(descriptor)


def share(folder: Path) -> int:
    """Hold a folder together with others, so that nobody removes it; close the result to let go.

    Raises:
        FileNotFoundError: It is not there, or was removed while its remover was waited for.
    """
    return _lock(lambda: _open(folder, os.O_DIRECTORY), folder, fcntl.LOCK_SH)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a folder or lock file alone, or say at once that it is in use (or gone)."""
    try:
        # A folder cannot be opened for writing, which a few network file systems want for this
        # lock. There nothing counts as unused.
        descriptor = _lock(lambda: _open(path, 0), path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags)


def _lock(open_it: Callable[[], int], path: Path, operation: int) -> int:
    """Open and lock what stands at the path; what was removed while waiting is not it."""
    while True:
        descriptor = open_it()
        try:
            fcntl.flock(descriptor, operation)
            if _stands_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _stands_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
