"""A bundle that is written once on a machine, whoever asks first."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spark_infer.bundle.bundle import Bundle
from spark_infer.bundle.cache.directory import (
    CACHE_VARIABLE,
    bundle_directory,
    check_own,
    problem_with,
)
from spark_infer.bundle.cache.locks import locked, share
from spark_infer.bundle.cache.notes import read_note, write_note
from spark_infer.bundle.cache.tidy import Limits, discard, marker_of, staging_folder, tidy
from spark_infer.bundle.files.digest import check_digest
from spark_infer.bundle.files.folder import scan
from spark_infer.bundle.files.stamp import Stamp, Stamps
from spark_infer.errors import BundleError, RuntimeUnavailable, is_full

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def cached(
    digest: str, write: Callable[[Path], None], *, source: str, root: Path | None = None
) -> Bundle:
    """Return the bundle with this digest from the machine's cache, writing it when missing.

    The first process to come writes it under a lock into a folder of its own, verifies the digest
    and renames it in one step; the others wait and use what it made. What was verified is noted
    beside it, and holds while each file has the size, times, inode, owner and permissions that it
    had then, until the machine starts anew. What was damaged since is replaced. As long as the
    returned object lives, no process of this user evicts the bundle.

    Each call also removes what dead processes left, bundles that nobody opened for
    ``$SPARK_INFER_CACHE_MAX_DAYS`` (30), and, oldest first, those beyond
    ``$SPARK_INFER_CACHE_MAX_BYTES`` (20 GiB).

    Args:
        digest: The bundle's digest.
        write: Writes the bundle's files into the folder that it is given, each with ``new_file``;
            called only when the bundle is not there. It calls ``make_room`` before.
        source: What it writes, for messages.
        root: Directory that holds nothing else; default: ``bundle_directory()``.

    Raises:
        BundleError: What was written is not the bundle with this digest.
        ConfigError: A limit in the environment is no number.
        RuntimeUnavailable: The cache cannot be written, or others can write it.
    """
    check_digest(digest)
    limits = Limits.from_environment()
    if root is None:
        root = bundle_directory()
    with _explained(digest, root):
        check_own(root)
        entry = root / digest
        bundle = _known(entry)
        if bundle is None:
            with locked(root / f"{digest}.lock"):
                bundle = _known(entry) or _verified(entry) or _written(entry, write, source)
        tidy(root, limits)
    return bundle


def _known(entry: Path) -> Bundle | None:
    """Open a bundle that was verified before and not touched since."""
    with _held(entry) as hold:
        stamps = _stamps(entry) if hold else None
        if hold is None or stamps is None:
            return None
        marker = marker_of(entry)
        try:
            note = read_note(marker)
        except OSError:
            return None
        if note != _described(entry.name, stamps):
            return None
        try:
            bundle = hold(Bundle.of_verified(entry, entry.name, stamps))
        except BundleError:
            # It was damaged since, and is being replaced.
            return None
        with contextlib.suppress(OSError):  # a read-only cache works too
            os.utime(marker, follow_symlinks=False)
        return bundle


def _verified(entry: Path) -> Bundle | None:
    """Open a bundle after reading all of it; None when it is missing or damaged."""
    with _held(entry) as hold:
        if hold is None or _stamps(entry) is None:
            return None
        try:
            bundle = Bundle.load(entry)
        except BundleError:
            return None
        if bundle.digest != entry.name or _stamps(entry) != bundle.stamps:
            return None
        _note(bundle)
        return hold(bundle)


def _written(entry: Path, write: Callable[[Path], None], source: str) -> Bundle:
    with _staging(entry) as (staging, hold):
        write(staging)
        try:
            bundle = Bundle.load(staging)
        except BundleError as error:
            # The folder is gone when this is read.
            raise BundleError(str(error).replace(f"bundle {staging}", source)) from None
        if bundle.digest != entry.name:
            raise BundleError(
                f"{source} has digest {bundle.digest}, expected {entry.name}; "
                "it was changed while it was being sent, start again"
            )
        # Held, so that nobody evicts it meanwhile, and with it what takes its place.
        with _held(entry) as hold_damaged:
            if hold_damaged is not None:
                discard(entry)
        staging.rename(entry)
        bundle = dataclasses.replace(bundle, path=entry).current()
        _note(bundle)
        return hold(bundle)


_Hold = Callable[[Bundle], Bundle]
"""Ties a lock to a bundle: it is let go when the bundle is no longer referred to."""


@contextmanager
def _held(entry: Path) -> Iterator[_Hold | None]:
    """Keep an unpacked bundle from being evicted; None when there is none."""
    try:
        problem = problem_with(entry)
        if problem is not None:
            raise RuntimeUnavailable(
                f"{entry} {problem}, so the bundle in it could be anybody's; remove it"
            )
        descriptor = share(entry)
    except FileNotFoundError:
        yield None
        return
    with _letting_go(descriptor) as hold:
        yield hold


@contextmanager
def _staging(entry: Path) -> Iterator[tuple[Path, _Hold]]:
    """Make a folder that is swept when this process dies."""
    descriptor = None
    while descriptor is None:
        staging = staging_folder(entry.parent, entry.name)
        with contextlib.suppress(FileNotFoundError):  # swept before it was held
            descriptor = share(staging)
    try:
        with _letting_go(descriptor) as hold:
            yield staging, hold
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _letting_go(descriptor: int) -> Iterator[_Hold]:
    """Close a lock at the end, unless a bundle has taken it."""
    taken = False

    def hold(bundle: Bundle) -> Bundle:
        nonlocal taken
        taken = True
        weakref.finalize(bundle, os.close, descriptor)
        return bundle

    try:
        yield hold
    finally:
        if not taken:
            os.close(descriptor)


def _stamps(entry: Path) -> Stamps | None:
    """Return the files' stamps; None when they are not as they are unpacked."""
    try:
        files = scan(entry).files
        mode = stat.S_IMODE(entry.lstat().st_mode)
    except (BundleError, FileNotFoundError):
        return None
    if mode != 0o700:
        return None
    if any((s.st_uid, stat.S_IMODE(s.st_mode)) != (os.getuid(), 0o400) for s in files.values()):
        return None
    return {name: Stamp.of(status) for name, status in files.items()}


def _described(digest: str, stamps: Stamps) -> bytes | None:
    """Return the note of a bundle's verified files; None where nobody knows the system's start.

    That is part of it: after a crash, files can be empty that were whole.
    """
    try:
        boot = _BOOT_ID.read_text()
    except OSError:
        return None
    files = dict(sorted(stamps.items()))
    return json.dumps({"boot": boot.strip(), "digest": digest, "files": files}).encode()


def _note(bundle: Bundle) -> None:
    # Without a note, or with half of one, the next process reads the bundle once more.
    note = _described(bundle.digest, bundle.stamps)
    if note is not None:
        with contextlib.suppress(OSError):
            write_note(marker_of(bundle.path), note)


@contextmanager
def _explained(digest: str, root: Path) -> Iterator[None]:
    """Turn what the file system says into one sentence."""
    try:
        yield
    except OSError as error:
        full = is_full(error)
        advice = "make room there, or set" if full else "set"
        place = "on another disk" if full else "that can be written"
        raise RuntimeUnavailable(
            f"bundle {digest[:12]} cannot be unpacked in {root}: {error.strerror or error}; "
            f"{advice} {CACHE_VARIABLE} to a directory {place}",
            transient=full,
        ) from error
