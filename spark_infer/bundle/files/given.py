"""Files that a user names, to be read once: plain ones only, with links followed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_given(path: Path) -> BinaryIO:
    """Open a plain file for reading; a directory of a user may well hold links to files.

    Raises:
        OSError: It cannot be opened, or is a pipe, a device or anything else.
    """
    # Without NONBLOCK, opening a pipe waits for somebody at its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no plain file", str(path))


def read_given(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a plain file.

    Raises:
        OSError: It cannot be read, is anything else, or has more than ``max_bytes``.
    """
    with open_given(path) as file:
        content = file.read(max_bytes + 1) if _fits(file, max_bytes) else None
    if content is None or len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes:,} bytes", str(path))
    return content


def _fits(file: BinaryIO, max_bytes: int) -> bool:
    return os.fstat(file.fileno()).st_size <= max_bytes
