"""Files that a user names: plain ones are read, whatever leads to them, and nothing else waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spark_infer.bundle.files.given import open_given, read_given


def test_a_plain_file_and_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("blob")
    for name in ("blob", "link"):
        assert read_given(tmp_path / name, 3) == b"abc"
        with open_given(tmp_path / name) as file:
            assert file.read() == b"abc"
        with pytest.raises(OSError, match="more than 2 bytes"):
            read_given(tmp_path / name, 2)


def test_a_file_of_no_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="more than 1,000 bytes"):
        read_given(tmp_path / "sparse", 1000)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir],
    ids=["pipe", "device", "folder"],
)
def test_what_is_no_plain_file(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "odd")
    for read in (open_given, lambda path: read_given(path, 10)):
        with pytest.raises(OSError, match="no plain file"):
            read(tmp_path / "odd")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_given(tmp_path / "nothing", 10)
