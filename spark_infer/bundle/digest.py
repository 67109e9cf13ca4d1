"""A bundle's identity: SHA-256 over all its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spark_infer.errors import BundleError

SUMS_FILE = "SHA256SUMS"
"""Lists every other file in the form that ``sha256sum --check`` reads."""


def sums_text(root: Path) -> str:
    """Return the lines of SHA256SUMS for all files under ``root``, sorted by path."""
    lines = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if path.is_symlink():
            raise BundleError(
                f"bundle {root}: {relative} is a symbolic link; copy the file instead"
            )
        if path.is_file() and relative != SUMS_FILE:
            lines.append(f"{file_digest(path)}  {relative}\n")
    return "".join(lines)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of one file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def seal(root: Path) -> str:
    """Write SHA256SUMS for the files under ``root`` and return the bundle's digest."""
    text = sums_text(root)
    (root / SUMS_FILE).write_text(text, encoding="utf-8")
    return _digest_of(text)


def verify(root: Path) -> str:
    """Compare every file with SHA256SUMS and return the bundle's digest.

    Raises:
        BundleError: A file is missing, was changed, or was added.
    """
    try:
        recorded = (root / SUMS_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f"bundle {root}: {SUMS_FILE} cannot be read ({error}); "
            "the directory is not a complete bundle, copy or save it again"
        ) from None
    actual = sums_text(root)
    if recorded != actual:
        raise BundleError(f"bundle {root}: {_difference(recorded, actual)}; copy or save it again")
    return _digest_of(actual)


def _digest_of(sums: str) -> str:
    return hashlib.sha256(sums.encode("utf-8")).hexdigest()


def _difference(recorded: str, actual: str) -> str:
    before, now = _by_path(recorded), _by_path(actual)
    for path, digest in before.items():
        if path not in now:
            return f"file {path} is missing"
        if now[path] != digest:
            return f"file {path} was changed after the bundle was saved"
    added = sorted(set(now) - set(before))
    return f"file {added[0]} was added" if added else f"{SUMS_FILE} was edited"


def _by_path(sums: str) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in sums.splitlines())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}
