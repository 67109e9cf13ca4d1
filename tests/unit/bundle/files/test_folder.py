from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_infer.bundle.files import folder
from spark_infer.bundle.files.digest import SUMS_FILE, seal, verify
from spark_infer.bundle.files.folder import open_file, open_to_others, read_file, scan
from spark_infer.errors import BundleError


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    root = tmp_path / "b"
    (root / "deep").mkdir(parents=True)
    (root / "model").write_bytes(b"weights")
    (root / "deep" / "er").write_bytes(b"1")
    seal(root)
    return root


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("devices are made by root")


SPECIAL = {
    "named pipe": os.mkfifo,
    "socket": bind,
    "device": device,
    "symbolic link": link("model"),
    "symbolic link to nothing": link("nowhere"),
    "symbolic link to a folder": link("deep"),
    "symbolic link up": link(".."),
}


def test_plain_files_are_listed_by_path(sealed: Path) -> None:
    (sealed / "empty").mkdir()
    found = scan(sealed)
    assert list(found.files) == [SUMS_FILE, "deep/er", "model"]
    assert found.files["model"].st_size == len("weights")
    assert found.empty == ["empty"]


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("name", ["new", "deep/new", "model", "deep/er", SUMS_FILE])
def test_what_is_no_plain_file_is_refused_unopened(sealed: Path, kind: str, name: str) -> None:
    (sealed / name).unlink(missing_ok=True)
    SPECIAL[kind](sealed / name)
    expected = " ".join(kind.split()[:2])
    for refuse in (verify, seal):
        with pytest.raises(BundleError, match=f"{name} is a {expected}.*plain files and folders"):
            refuse(sealed)


@pytest.mark.parametrize(
    "name",
    [
        *("a\nb", f"a\n{'0' * 64}  model", "a\r", "\t", "a\x1b[2J", "a\x7f", "a\\b"),
        *(" a", "a ", "a\u00a0b", "a\u2028b", "\u202egnp", "a\u200bb", "\ufeffa", "\ue000", "-"),
        *(os.fsdecode(b"\xff"), os.fsdecode(b"caf\xe9")),
    ],
)
def test_a_name_that_reads_in_two_ways_is_refused(sealed: Path, name: str) -> None:
    (sealed / "deep" / name).write_bytes(b"1")
    for refuse in (verify, seal):
        with pytest.raises(
            BundleError, match=r"the name 'deep/.*' is refused; names have"
        ) as caught:
            refuse(sealed)
        assert str(caught.value).isprintable()
    (sealed / "deep" / name).unlink()
    (sealed / name).mkdir()
    with pytest.raises(BundleError, match="is refused; names have printable"):
        seal(sealed)


@pytest.mark.parametrize("name", ["a  b", "*a", "~", "naïve", "日本", "a" * 255, "#", ".hidden"])
def test_other_names_are_fine(sealed: Path, name: str) -> None:
    (sealed / name).write_bytes(b"1")
    assert seal(sealed) == verify(sealed).digest


def test_a_bundle_of_too_many_files_is_refused_before_any_is_read(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MAX_FILES", 3)
    (sealed / "deep" / "deeper").mkdir()
    with pytest.raises(BundleError, match="has more than 3 files"):
        verify(sealed)


def test_a_bundle_of_too_many_bytes_is_refused_before_any_is_read(sealed: Path) -> None:
    with (sealed / "model").open("wb") as file:
        file.truncate(folder.MAX_BYTES)
    with pytest.raises(BundleError, match="have more than 1,099,511,627,776 bytes"):
        verify(sealed)


def test_what_is_not_listed_is_not_read(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sealed / "new").write_bytes(b"1")
    monkeypatch.setattr("spark_infer.bundle.files.digest.open_file", None)
    with pytest.raises(BundleError, match="file new was added"):
        verify(sealed)


def test_folders_deeper_than_a_path_can_say_are_refused(sealed: Path) -> None:
    here = os.open(sealed, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(BundleError, match="cannot be listed: File name too long"):
        verify(sealed)


def test_a_pipe_that_took_a_files_place_is_not_waited_for(sealed: Path) -> None:
    (sealed / "model").unlink()
    os.mkfifo(sealed / "model")
    with pytest.raises(BundleError, match="model cannot be read: it is no plain file"):
        open_file(sealed, "model")


@pytest.mark.parametrize("target", ["deep/er", "/dev/zero", "nowhere"])
def test_a_link_that_took_a_files_place_is_not_followed(sealed: Path, target: str) -> None:
    (sealed / "model").unlink()
    (sealed / "model").symlink_to(target)
    with pytest.raises(BundleError, match="model cannot be read: Too many levels of symbolic"):
        open_file(sealed, "model")


def test_a_folder_in_a_files_place(sealed: Path) -> None:
    with pytest.raises(BundleError, match="deep cannot be read: it is no plain file"):
        read_file(sealed, "deep", 10)


def test_a_file_is_read_up_to_a_limit(sealed: Path) -> None:
    assert read_file(sealed, "model", 7) == b"weights"
    with pytest.raises(BundleError, match="model cannot be read: it has more than 6 bytes"):
        read_file(sealed, "model", 6)


def test_an_unreadable_file_is_named(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuse(path: object, *arguments: object) -> int:
        if str(path).endswith("model"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr(folder.os, "open", refuse)
    with pytest.raises(BundleError, match="model cannot be read: Permission denied"):
        verify(sealed)


def test_a_hard_link_is_a_plain_file(sealed: Path) -> None:
    digest = verify(sealed).digest
    os.link(sealed / "model", sealed.parent / "another-name")
    assert verify(sealed).digest == digest
    (sealed.parent / "another-name").write_bytes(b"changed")
    with pytest.raises(BundleError, match="file model was changed"):
        verify(sealed)


def test_only_the_folder_itself_is_opened_to_others(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(private)
    with pytest.raises(OSError, match="link"):
        open_to_others(tmp_path / "link")
    assert private.stat().st_mode & 0o777 == 0o700
    open_to_others(private)
    assert private.stat().st_mode & 0o777 == 0o755
