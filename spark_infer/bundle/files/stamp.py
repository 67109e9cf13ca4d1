"""What the system says about a file, so that any change of it shows without reading it again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from spark_infer.bundle.files.folder import scan
from spark_infer.errors import BundleError


class Stamp(NamedTuple):
    """A file at one moment: another file, or the same one changed, has another stamp.

    The time of the inode cannot be set, so a change shows even when size and date were put back.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file that was looked at."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )


Stamps = Mapping[str, Stamp]
"""Stamp of each file of a folder, by its path inside."""


def check_stamps(root: Path, stamps: Stamps) -> None:
    """Raise BundleError unless the files under ``root`` are those that the stamps were taken of."""
    found = {name: Stamp.of(status) for name, status in scan(root).files.items()}
    for name in sorted({*found, *stamps}):
        if found.get(name) != stamps.get(name):
            raise BundleError(
                f"bundle {root}: {name} changed after it was opened; open it again with Bundle.load"
            )
