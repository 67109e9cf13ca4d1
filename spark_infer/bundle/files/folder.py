"""The plain files of a folder. Nothing else is opened, and no link is followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError

MAX_FILES = 10_000
"""Most files and folders in a bundle."""

MAX_BYTES = 2**40
"""Most bytes in a bundle: more would be read for hours before anything is said."""

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass(frozen=True)
class Folder:
    """What lies in a folder and below.

    Attributes:
        files: What the system says about each file, by its path inside, sorted.
        empty: Paths of the folders that hold nothing.
    """

    files: dict[str, os.stat_result]
    empty: list[str]


def scan(root: Path) -> Folder:
    """List a folder without opening any file of it.

    Hard links are plain files: a bundle's identity is its files' bytes, whatever else shares them.
    Owners and permissions are not part of it either: no file of a bundle is ever started.

    Raises:
        BundleError: Something is no plain file or folder, a name is not printable, there are too
            many, or a folder cannot be listed.
    """
    found: dict[str, os.stat_result] = {}
    folders = [""]
    empty: list[str] = []
    seen = num_bytes = 0
    while folders:
        folder = folders.pop()
        before = seen
        for name, path, status in _entries(root, folder):
            seen += 1
            check_name(name, path, where=f"bundle {root}")
            if stat.S_ISDIR(status.st_mode):
                folders.append(f"{path}/")
            elif stat.S_ISREG(status.st_mode):
                found[path] = status
                num_bytes += status.st_size
            else:
                kind = next((word for test, word in _KINDS if test(status.st_mode)), "no file")
                raise BundleError(
                    f"bundle {root}: {path} is {kind}; copy the file instead, a bundle holds plain "
                    "files and folders"
                )
            if seen > MAX_FILES:
                raise BundleError(f"bundle {root}: it has more than {MAX_FILES:,} files")
            if num_bytes > MAX_BYTES:
                raise BundleError(f"bundle {root}: its files have more than {MAX_BYTES:,} bytes")
        if seen == before and folder:
            empty.append(folder[:-1])
    return Folder(dict(sorted(found.items())), empty)


def _entries(root: Path, folder: str) -> Iterator[tuple[str, str, os.stat_result]]:
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                yield entry.name, folder + entry.name, entry.stat(follow_symlinks=False)
    except OSError as error:
        raise BundleError(
            f"bundle {root}: folder {folder or '.'} cannot be listed: {error.strerror}"
        ) from None


def check_name(name: str, path: str, *, where: str) -> None:
    """Raise BundleError unless a file name reads the same in every list of files.

    A line break, a backslash or a byte that is no UTF-8 would let two folders have one SHA256SUMS.
    """
    if not name.isprintable() or "\\" in name or name != name.strip() or name == "-":
        raise BundleError(
            f"{where}: the name {shown(path)} is refused; names have printable characters, no "
            "backslash and no space at an end"
        )


def open_file(root: Path, name: str) -> BinaryIO:
    """Open a plain file below ``root``, and nothing that has taken its place.

    Raises:
        BundleError: It is missing, no plain file, or cannot be read.
    """
    try:
        return os.fdopen(open_plain(root / name, os.O_RDONLY), "rb")
    except OSError as error:
        raise BundleError(f"bundle {root}: {name} cannot be read: {error.strerror}") from None


def open_plain(path: Path, flags: int, mode: int = 0o600) -> int:
    """Return the descriptor of a plain file, which the caller closes.

    Raises:
        OSError: It cannot be opened, or is a link, a pipe or anything else.
    """
    # Without NONBLOCK, opening a pipe waits for somebody at its other end.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no plain file", str(path))


def open_to_others(folder: Path) -> None:
    """Let everybody read a folder of this user's, and nothing that has taken its place.

    Raises:
        OSError: It is gone, no folder, or another user's.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


def read_file(root: Path, name: str, max_bytes: int) -> bytes:
    """Return the bytes of a plain file below ``root``.

    Raises:
        BundleError: It cannot be read, or has more than ``max_bytes``.
    """
    with open_file(root, name) as file:
        try:
            content = file.read(max_bytes + 1)
        except OSError as error:
            raise BundleError(f"bundle {root}: {name} cannot be read: {error.strerror}") from None
    if len(content) > max_bytes:
        raise BundleError(
            f"bundle {root}: {name} cannot be read: it has more than {max_bytes:,} bytes"
        )
    return content
