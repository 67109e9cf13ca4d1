"""A bundle as one byte string, to travel, and back."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

from spark_infer.bundle import Bundle
from spark_infer.bundle.cache.files import new_file
from spark_infer.bundle.files.digest import SUMS_FILE
from spark_infer.bundle.files.folder import MAX_FILES, open_file
from spark_infer.errors import BundleError


def pack(bundle: Bundle) -> bytes:
    """Return the bundle's files as an uncompressed tar: weights hardly compress.

    Names and bytes travel, owners, dates and permissions do not.

    Raises:
        BundleError: The bundle's files changed after it was opened.
    """
    bundle = bundle.current()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (*bundle.files, SUMS_FILE):
            with open_file(bundle.path, name) as file:
                entry = tarfile.TarInfo(name)
                entry.size = os.fstat(file.fileno()).st_size
                archive.addfile(entry, file)
    bundle.check_unchanged()
    return buffer.getvalue()


def unpack(data: bytes, target: Path) -> None:
    """Write an archive's files under ``target``, to be read by this user and written by nobody.

    Raises:
        BundleError: The archive is damaged, or an entry is no plain file below ``target``.
    """
    try:
        # "r:" and not "r": what is decompressed can be of any size.
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for number, entry in enumerate(archive):
                if number >= MAX_FILES:
                    raise BundleError(f"the bundle's archive has more than {MAX_FILES:,} files")
                _write_entry(archive, entry, target)
    except RecursionError:
        raise BundleError("the bundle's archive is damaged: it is nested too deep") from None
    except (tarfile.TarError, ValueError, OverflowError) as error:
        # tarfile computes with whatever numbers a header holds.
        raise BundleError(f"the bundle's archive is damaged: {_cut(str(error))}") from None


def _write_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    # A sparse file of a few bytes could fill the disk.
    plain = entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not entry.issparse()
    if not plain or entry.size < 0:
        raise BundleError(f"the bundle's archive holds {_cut(repr(entry.name))}, which is refused")
    source = archive.extractfile(entry)
    assert source is not None
    with new_file(target, entry.name, source="the bundle's archive") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."
