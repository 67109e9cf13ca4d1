"""The files of a bundle as they are written into the cache."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from spark_infer.bundle.documents import shown
from spark_infer.bundle.files.folder import check_name
from spark_infer.errors import BundleError

_MAX_LEVELS = 64
"""Most folders of a file, its own name among them."""
_NAME_ERRORS = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ}
"""What the system says of a file's name, and not of its disk."""


def check_path(name: str, *, source: str) -> None:
    """Raise BundleError unless a name from elsewhere is one of a file inside a bundle."""
    parts = name.split("/")
    if {"", ".", ".."} & set(parts) or len(parts) > _MAX_LEVELS:
        raise BundleError(f"{source} holds {shown(name)}, which is refused")
    for part in parts:
        check_name(part, name, where=source)


def new_file(folder: Path, name: str, *, source: str) -> BinaryIO:
    """Open a new file below a folder, to be read by this user and written by nobody.

    Raises:
        BundleError: No file of a bundle has such a name, or there is one already.
        OSError: The disk is full, or does not work.
    """
    check_path(name, source=source)
    *above, last = name.split("/")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for part in above:
            # Of folders that mkdir makes on the way, everybody decides the mode by his umask.
            folder /= part
            folder.mkdir(mode=0o700, exist_ok=True)
        return os.fdopen(os.open(folder / last, flags, 0o400), "wb")
    except OSError as error:
        if error.errno not in _NAME_ERRORS:
            raise
        reason = str(error.strerror)
    raise BundleError(f"{source} is damaged: file {shown(name)} cannot be made: {reason}")
