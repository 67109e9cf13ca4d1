"""Unpack a bundle that the driver sent, once on a machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spark_infer.bundle import Bundle
from spark_infer.bundle.cache.entry import cached
from spark_infer.bundle.cache.tidy import make_room
from spark_infer.errors import RuntimeUnavailable
from spark_infer.runtime.archive import unpack


def materialise(digest: str, read: Callable[[], bytes], root: Path | None = None) -> Bundle:
    """Return the bundle with this digest from the machine's cache, unpacking it when missing.

    Args:
        digest: The bundle's digest.
        read: Returns the archive; called only when the bundle is not there.
        root: See ``cached``.

    Raises:
        BundleError: The archive is not the bundle with this digest.
        ConfigError: A limit in the environment is no number.
        RuntimeUnavailable: The archive did not arrive, or the cache cannot be used.
    """

    def write(folder: Path) -> None:
        data = _arrived(read)
        make_room(folder, len(data))
        unpack(data, folder)

    return cached(digest, write, source="the broadcast bundle", root=root)


def _arrived(read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except OSError as error:
        raise RuntimeUnavailable(f"the bundle did not arrive from the driver: {error}") from error
