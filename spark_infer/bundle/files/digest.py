"""A bundle's identity: SHA-256 over all its files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spark_infer.bundle.documents import shown
from spark_infer.bundle.files.folder import Folder, open_file, read_file, scan
from spark_infer.bundle.files.stamp import Stamp, Stamps
from spark_infer.errors import BundleError, ConfigError

SUMS_FILE = "SHA256SUMS"
"""Lists every other file in the form that ``sha256sum --check`` reads."""

MAX_SUMS_BYTES = 2**24

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Verified:
    """A folder whose files were all read and found to be those of its SHA256SUMS.

    Attributes:
        digest: The bundle's digest.
        stamps: Stamp of each file, SHA256SUMS too, taken of the open file before it was read.
    """

    digest: str
    stamps: Stamps


def check_digest(digest: object) -> None:
    """Raise ConfigError unless ``digest`` can be a bundle's: a part of one pins nothing."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ConfigError(
            f"digest must be the 64 lowercase hexadecimal digits that 'spark-infer inspect' shows, "
            f"all of them, got {shown(digest)}"
        )


def seal(root: Path) -> str:
    """Write SHA256SUMS for the files under ``root`` and return the bundle's digest."""
    folder = scan(root)
    _refuse_empty(root, folder)
    text, _ = _sums(root, _listed(folder))
    (root / SUMS_FILE).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def verify(root: Path) -> Verified:
    """Compare every file with SHA256SUMS; return the bundle's digest and what was read.

    Raises:
        BundleError: A file is missing, was changed, or was added, or is no plain file.
    """
    folder = scan(root)
    names = _listed(folder)
    listed = recorded(root)
    # Names first: they cost nothing, and what nobody lists is never read.
    for name in sorted(set(listed) - set(names)):
        raise _changed(root, f"file {_readable(name)} is missing")
    for name in sorted(set(names) - set(listed)):
        raise _changed(root, f"file {name} was added")
    _refuse_empty(root, folder)
    actual, stamps = _sums(root, names)
    for name, digest in _by_name(actual.decode()).items():
        if listed[name] != digest:
            raise _changed(root, f"file {name} was changed after the bundle was saved")
    digest, stamps[SUMS_FILE] = _file_digest(root, SUMS_FILE)
    if digest != hashlib.sha256(actual).hexdigest():
        raise _changed(root, f"{SUMS_FILE} was edited")
    return Verified(digest, stamps)


def _listed(folder: Folder) -> list[str]:
    return [name for name in folder.files if name != SUMS_FILE]


def _refuse_empty(root: Path, folder: Folder) -> None:
    """The list of files does not tell a folder that holds nothing from none."""
    for name in folder.empty:
        raise BundleError(f"bundle {root}: folder {name} is empty; remove it")


def _sums(root: Path, names: Iterable[str]) -> tuple[bytes, dict[str, Stamp]]:
    """Return the lines of SHA256SUMS, in the order of the names, and the files' stamps."""
    lines, stamps = [], {}
    for name in names:
        digest, stamps[name] = _file_digest(root, name)
        lines.append(f"{digest}  {name}\n")
    return "".join(lines).encode(), stamps


def _file_digest(root: Path, name: str) -> tuple[str, Stamp]:
    digest = hashlib.sha256()
    with open_file(root, name) as file:
        stamp = Stamp.of(os.fstat(file.fileno()))
        try:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        except OSError as error:
            raise BundleError(f"bundle {root}: {name} cannot be read: {error.strerror}") from None
    return digest.hexdigest(), stamp


def recorded(root: Path) -> dict[str, str]:
    """Return the digest that SHA256SUMS gives for each file.

    Raises:
        BundleError: It cannot be read.
    """
    try:
        return _by_name(read_file(root, SUMS_FILE, MAX_SUMS_BYTES).decode())
    except (BundleError, UnicodeDecodeError) as error:
        raise BundleError(
            f"bundle {root}: {SUMS_FILE} cannot be read ({error}); "
            "the directory is not a complete bundle, copy or save it again"
        ) from None


def _by_name(sums: str) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in sums.split("\n"))
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _readable(name: str) -> str:
    return name if name.isprintable() and len(name) < 200 else shown(name)


def _changed(root: Path, what: str) -> BundleError:
    return BundleError(f"bundle {root}: {what}; copy or save it again")
