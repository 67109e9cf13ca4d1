"""Unpack a bundle once on a machine, whoever asks first."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, RuntimeUnavailable
from spark_infer.runtime.archive import unpack

CACHE_VARIABLE = "SPARK_INFER_CACHE"


def cache_directory() -> Path:
    """Return this user's bundle directory: ``$SPARK_INFER_CACHE``, or one in the temp directory.

    Raises:
        RuntimeUnavailable: It belongs to somebody else, or cannot be made.
    """
    default = Path(tempfile.gettempdir()) / f"spark_infer-{os.getuid()}"
    path = Path(os.environ.get(CACHE_VARIABLE) or default)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = path.stat().st_uid
    except OSError as error:
        raise RuntimeUnavailable(
            f"bundles cannot be unpacked: {error}; set {CACHE_VARIABLE} to a writable directory"
        ) from None
    if owner != os.getuid():
        raise RuntimeUnavailable(
            f"{path} belongs to another user; set {CACHE_VARIABLE} to a directory of your own"
        )
    return path


def materialise(digest: str, read: Callable[[], bytes], root: Path | None = None) -> Bundle:
    """Return the bundle with this digest from the machine's cache, unpacking it when missing.

    The first process to come unpacks under a lock into a directory of its own, verifies the
    digest and renames it in one step; the others wait and use what it made. A directory that was
    damaged since is replaced.

    Args:
        digest: The bundle's digest.
        read: Returns the archive; called only when the bundle is not there.
        root: Cache directory; default: ``cache_directory()``.

    Raises:
        BundleError: The archive is not the bundle with this digest.
    """
    root = root or cache_directory()
    target = root / digest
    with _locked(root / f"{digest}.lock"):
        found = _intact(target, digest)
        if found is not None:
            return found
        shutil.rmtree(target, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=f"{digest[:12]}-", dir=root))
        try:
            unpack(read(), staging)
            bundle = Bundle.load(staging)
            if bundle.digest != digest:
                raise BundleError(
                    f"the broadcast bundle has digest {bundle.digest}, expected {digest}; "
                    "it was changed while it was being sent, start again"
                )
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return Bundle(target, digest, bundle.manifest)


def _intact(target: Path, digest: str) -> Bundle | None:
    try:
        bundle = Bundle.load(target)
    except BundleError:
        return None
    return bundle if bundle.digest == digest else None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
