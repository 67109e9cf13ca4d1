"""A file of a bundle whose pages a process computes with for as long as it lives."""

from __future__ import annotations

import hashlib
import os
import weakref
from pathlib import Path

from spark_infer.bundle.files.digest import recorded
from spark_infer.bundle.files.folder import open_plain
from spark_infer.bundle.files.stamp import Stamp
from spark_infer.errors import BundleError

_PIECE = 1 << 20


class MappedFile:
    """Tells whether a mapped file still holds the bytes that were verified.

    It keeps the file open: what stands at its path may be another one by now, which changes nothing
    of what is mapped.

    Args:
        root: The bundle's directory, whose files are those of its SHA256SUMS.
        name: Path of the file inside.

    Raises:
        BundleError: It cannot be opened, or is no file of the bundle.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._where = f"bundle {root}: {name}"
        digest = recorded(root).get(name)
        try:
            self._descriptor = open_plain(root / name, os.O_RDONLY)
        except OSError as error:
            raise BundleError(f"{self._where} cannot be read: {error.strerror}") from None
        weakref.finalize(self, os.close, self._descriptor)
        if digest is None:
            raise BundleError(f"{self._where} is no file of the bundle; save it again")
        self._digest = digest
        self._stamp = self._now()

    def check_unwritten(self) -> None:
        """Raise BundleError where somebody has written to the file, or it cannot be looked at.

        That takes a microsecond. What changes the file's inode alone, as a link or the removal of
        one does, lets it be read once more.
        """
        try:
            now = self._now()
            if now == self._stamp:
                return
            same = now._replace(ctime_ns=self._stamp.ctime_ns) == self._stamp
            same = same and self._read_digest() == self._digest
        except OSError:
            same = False
        if not same:
            raise BundleError(
                f"{self._where} was written to while a process computed with it, whose answers are "
                "no longer the model's; save another model to a new folder and rename that, and "
                "load the bundle again"
            )
        self._stamp = now

    def _now(self) -> Stamp:
        # Not the numbers of device and inode: a file that is open stays the same one.
        return Stamp.of(os.fstat(self._descriptor))._replace(device=0, inode=0)

    def _read_digest(self) -> str:
        digest, start = hashlib.sha256(), 0
        while piece := os.pread(self._descriptor, _PIECE, start):
            digest.update(piece)
            start += len(piece)
        return digest.hexdigest()
