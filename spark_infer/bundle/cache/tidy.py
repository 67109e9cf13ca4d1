"""Keep the cache small: what dead processes left, what is old, what is too much.

Nothing that a live process uses is touched: the system knows by its locks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from spark_infer.bundle.cache.locks import claimed
from spark_infer.bundle.files.folder import scan
from spark_infer.errors import BundleError, ConfigError

MAX_BYTES_VARIABLE = "SPARK_INFER_CACHE_MAX_BYTES"
MAX_DAYS_VARIABLE = "SPARK_INFER_CACHE_MAX_DAYS"

_ENTRY = re.compile(r"[0-9a-f]{64}")
_STAGING = re.compile(r"[0-9a-f]{12}-[a-z0-9_]{8}")

_logger = logging.getLogger("spark_infer")


@dataclass(frozen=True)
class Limits:
    """How much the cache keeps. Bundles in use are kept whatever they amount to.

    Attributes:
        max_bytes: Most bytes of all bundles; the one unused for longest goes first.
        max_days: Most days since a bundle was last opened.
    """

    max_bytes: int = 20 * 2**30
    max_days: int = 30

    @classmethod
    def from_environment(cls) -> Limits:
        """Read ``SPARK_INFER_CACHE_MAX_BYTES`` and ``SPARK_INFER_CACHE_MAX_DAYS``.

        Raises:
            ConfigError: One is no whole number.
        """
        return cls(
            max_bytes=_number(MAX_BYTES_VARIABLE, cls.max_bytes),
            max_days=_number(MAX_DAYS_VARIABLE, cls.max_days),
        )


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable)
    if text is None or not text.strip():
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
        raise ConfigError(f"environment variable {variable} must be a whole number, got {text!r}")
    return int(text)


def marker_of(entry: Path) -> Path:
    """Return the file that says of an unpacked bundle what was verified, and when it was used."""
    return entry.with_name(f"{entry.name}.verified")


def staging_folder(root: Path, digest: str) -> Path:
    """Make a folder that ``tidy`` removes when nobody holds it."""
    return Path(tempfile.mkdtemp(prefix=f"{digest[:12]}-", dir=root))


def discard(entry: Path) -> None:
    """Remove an unpacked bundle, which the caller holds; it is gone in one step."""
    aside = staging_folder(entry.parent, entry.name)
    marker_of(entry).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):  # somebody has removed it by hand
        entry.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def make_room(staging: Path, num_bytes: int) -> None:
    """Remove what was not used for longest until ``num_bytes`` more fit beside a folder."""
    tidy(staging.parent, Limits.from_environment(), room=num_bytes)


def tidy(root: Path, limits: Limits, room: int = 0) -> None:
    """Remove what dead processes left, old bundles, and bundles until ``room`` more bytes fit."""
    try:
        names = [entry.name for entry in os.scandir(root)]
        for name in names:
            if _STAGING.fullmatch(name):
                _remove_staging(root / name)
            elif _ENTRY.fullmatch(name.partition(".")[0]):
                _remove_leftover(root / name)
        _evict([root / name for name in names if _ENTRY.fullmatch(name)], limits, room)
    except OSError as error:
        _logger.warning("the bundle cache %s is not tidied: %s", root, error)


def _remove_staging(folder: Path) -> None:
    with claimed(folder) as unused:
        if unused and stat.S_ISDIR(folder.lstat().st_mode):
            shutil.rmtree(folder, ignore_errors=True)
        elif unused:
            # Python 3.11 opens it to look what is in it, and waits for whoever writes a pipe.
            folder.unlink()


def _remove_leftover(file: Path) -> None:
    """Remove the lock or marker of a bundle that is not there; its maker would hold the lock."""
    lock = file.with_suffix(".lock")
    if file.suffix not in (".lock", ".verified") or file.with_suffix("").exists():
        return
    with claimed(lock) as unused:
        if unused and not file.with_suffix("").exists():
            file.with_suffix(".verified").unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


def _evict(entries: list[Path], limits: Limits, room: int) -> None:
    sizes = {entry: _num_bytes(entry) for entry in entries}
    used = {entry: _used_at(entry) for entry in entries}
    total = sum(sizes.values()) + room
    oldest = time.time() - limits.max_days * 86_400
    for entry in sorted(entries, key=used.__getitem__):
        if total <= limits.max_bytes and used[entry] >= oldest:
            break
        with claimed(entry) as unused:
            if unused:
                discard(entry)
                total -= sizes[entry]


def _num_bytes(entry: Path) -> int:
    try:
        return sum(status.st_size for status in scan(entry).files.values())
    except BundleError:
        return 0


def _used_at(entry: Path) -> float:
    for path in (marker_of(entry), entry):
        try:
            return path.lstat().st_mtime
        except FileNotFoundError:
            continue
    return 0.0
