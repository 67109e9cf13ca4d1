"""The directory where this user's processes keep bundles, and who else may touch it: nobody."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from spark_infer.errors import RuntimeUnavailable

CACHE_VARIABLE = "SPARK_INFER_CACHE"

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_directory() -> Path:
    """Return this user's cache directory: ``$SPARK_INFER_CACHE``, or one in the temp directory.

    It is made when missing, for this user alone.

    Raises:
        RuntimeUnavailable: It cannot be made, or others could put a bundle there.
    """
    return _made(lambda: Path(os.environ.get(CACHE_VARIABLE) or _default()).absolute())


def bundle_directory() -> Path:
    """Return the folder of the cache that holds bundles and nothing else: it is swept.

    Raises:
        RuntimeUnavailable: It cannot be made, or others could put a bundle there.
    """
    root = cache_directory()
    return _made(lambda: root / "bundles")


def _default() -> Path:
    return Path(tempfile.gettempdir()) / f"spark_infer-{os.getuid()}"


def _made(find: Callable[[], Path]) -> Path:
    try:
        path = find()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RuntimeUnavailable(
            f"bundles cannot be unpacked: {error}; set {CACHE_VARIABLE} to a writable directory"
        ) from None
    check_own(path)
    return path


def check_own(root: Path) -> None:
    """Check that nobody but this user, root and the owners of the folders above can change it.

    Of the folders above, those where others could put another folder in the path's place are
    refused: writable by group or others and without the sticky bit that ``/tmp`` has. Their owners
    are trusted: a cluster's service runs its users' work in folders of its own.

    Raises:
        RuntimeUnavailable: Somebody else can; or it is a symbolic link.
    """
    problem = problem_with(root)
    if problem is not None:
        raise RuntimeUnavailable(
            f"{root} {problem}; set {CACHE_VARIABLE} to a directory of your own that nobody else "
            "can write"
        )
    for folder in _above(root):
        mode = folder.stat().st_mode
        if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
            raise RuntimeUnavailable(
                f"{root} could be replaced by others, who can write {folder}; set {CACHE_VARIABLE} "
                f"to a directory elsewhere, or run chmod go-w (or +t) {folder}"
            )


def problem_with(path: Path) -> str | None:
    """Say why a directory is not this user's alone, or return None.

    Raises:
        OSError: There is nothing, or it cannot be looked at.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    if not stat.S_ISDIR(status.st_mode):
        return "is no directory"
    if status.st_uid != os.getuid():
        return "belongs to another user"
    if status.st_mode & _OTHERS_WRITE:
        return "can be written by others"
    return None


def _above(path: Path) -> Iterator[Path]:
    """Return the folders above, as the path names them and as each of its links does."""
    pending, links = [path], set[Path]()
    while pending:
        for folder in pending.pop().parents:
            yield folder
            if folder not in links and folder.is_symlink():
                links.add(folder)
                pending.append(folder.parent / folder.readlink() / path.name)
