"""The reports' directory: a folder of a file system, or behind a URI."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from spark_infer.bundle.files.given import open_given
from spark_infer.bundle.places import Place, as_place
from spark_infer.errors import ConfigError, is_full

_NUM_CHARACTERS = 2**18
"""More than a report and its page have, unless the gate compares a hundred columns."""
_MAX_BYTES = 2**26


def write_text(directory: str | os.PathLike[str], name: str, text: str) -> Path | Place:
    """Write a file into the reports' directory. Errors are those of ``RunReport.write``."""
    folder = folder_of(directory)
    if isinstance(folder, Place):
        folder.write(name, io.BytesIO(text.encode()))
        return folder / name
    with _writing(folder) as file:
        file.write(text)
        file.flush()
        # Not by its name, which others could have given to something else by now.
        os.fchmod(file.fileno(), 0o644)
        Path(file.name).rename(folder / name)
    return folder / name


def read_text(directory: str | os.PathLike[str], name: str) -> str | None:
    """Return the text of a file in the reports' directory; None where it is not there.

    Raises:
        ConfigError: It cannot be read, or is larger than any that is written there.
    """
    folder = folder_of(directory)
    try:
        if isinstance(folder, Place):
            if name not in folder.files():
                return None
            return folder.read(name, _MAX_BYTES).decode()
        with open_given(folder / name) as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"report.path {folder}: {name} cannot be read: {error}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"report.path {folder}: {name} has more than {_MAX_BYTES:,} bytes")
    return content.decode(errors="replace")


def check_writable(directory: str | os.PathLike[str]) -> None:
    """Prove that a report can be written, by writing as much as one holds.

    Raises:
        ConfigError: The directory cannot be made or written, or its disk is full.
    """
    folder = folder_of(directory)
    if isinstance(folder, Place):
        folder.check_writable(_NUM_CHARACTERS)
        return
    with _writing(folder) as file:
        file.write(" " * _NUM_CHARACTERS)
        file.flush()


def file_names(directory: str | os.PathLike[str]) -> list[str]:
    """Return the names of the files in the reports' directory; none where it is not there.

    Raises:
        ConfigError: It cannot be listed.
    """
    folder = folder_of(directory)
    if isinstance(folder, Place):
        return [*folder.files()]
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"report.path {folder} cannot be listed: {error.strerror}; make it readable, or name "
            "another directory"
        ) from None


def folder_of(directory: str | os.PathLike[str]) -> Path | Place:
    """Return the reports' directory.

    Raises:
        ConfigError: It is none.
    """
    return as_place(directory, name="report.path", what="report.path", error=ConfigError)


@contextmanager
def _writing(folder: Path) -> Iterator[IO[str]]:
    """Open a hidden file, which is gone at the end unless it has been given another name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=".", suffix=".json", delete=False, encoding="utf-8"
        ) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"report.path {folder} cannot be written: {error.strerror}; make room there, or name "
            "another directory",
            transient=is_full(error),
        ) from None
