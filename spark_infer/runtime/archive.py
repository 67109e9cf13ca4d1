"""A bundle as one byte string, to travel, and back."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from spark_infer.bundle import Bundle
from spark_infer.bundle.digest import SUMS_FILE
from spark_infer.errors import BundleError


def pack(bundle: Bundle) -> bytes:
    """Return the bundle's files as an uncompressed tar: weights hardly compress."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (*bundle.files, SUMS_FILE):
            archive.add(bundle.path / name, arcname=name, recursive=False)
    return buffer.getvalue()


def unpack(data: bytes, target: Path) -> None:
    """Write an archive's files under ``target``.

    Raises:
        BundleError: The archive is damaged, or an entry is no plain file below ``target``.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                _write_entry(archive, entry, target)
    except tarfile.TarError as error:
        raise BundleError(f"the bundle's archive is damaged: {error}") from None


def _write_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    path = target / entry.name
    if not entry.isfile() or not path.resolve().is_relative_to(target.resolve()):
        raise BundleError(f"the bundle's archive holds {entry.name!r}, which is refused")
    source = archive.extractfile(entry)
    assert source is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source.read())
