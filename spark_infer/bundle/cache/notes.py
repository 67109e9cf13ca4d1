"""Small files beside the bundles. No link is followed and no pipe is waited for."""

from __future__ import annotations

import os
from pathlib import Path

from spark_infer.bundle.files.folder import open_plain


def read_note(path: Path) -> bytes:
    """Return the content of a plain file.

    Raises:
        OSError: It cannot be read, or is no plain file.
    """
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_note(path: Path, content: bytes) -> None:
    """Write a file anew; a link or pipe at the path is removed, not followed.

    Raises:
        OSError: It cannot be written.
    """
    path.unlink(missing_ok=True)
    with os.fdopen(open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(content)
