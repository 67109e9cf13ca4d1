from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from spark_infer.bundle.files.digest import SUMS_FILE, seal, verify
from spark_infer.errors import BundleError

FILES = {"manifest.json": b"{}", "model.pt2": bytes(range(256)), "vocabularies/x.json": b"[1]"}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    seal(tmp_path)
    return tmp_path


def test_the_digest_is_that_of_the_list_of_files(sealed: Path) -> None:
    listed = (sealed / SUMS_FILE).read_bytes()
    assert verify(sealed).digest == seal(sealed) == hashlib.sha256(listed).hexdigest()
    assert [line.split("  ")[1] for line in listed.decode().splitlines()] == sorted(FILES)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_other_tools_can_check_the_files(sealed: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", SUMS_FILE], cwd=sealed, check=True)


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found_and_named(sealed: Path, name: str) -> None:
    content = bytearray((sealed / name).read_bytes())
    content[-1] ^= 1
    (sealed / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=f"file {name} was changed after the bundle was saved"):
        verify(sealed)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(sealed: Path, name: str) -> None:
    (sealed / name).unlink()
    with pytest.raises(BundleError, match=f"file {name} is missing"):
        verify(sealed)


@pytest.mark.parametrize("name", ["extra.bin", "vocabularies/.hidden"])
def test_an_added_file_is_named(sealed: Path, name: str) -> None:
    (sealed / name).write_bytes(b"")
    with pytest.raises(BundleError, match=f"file {name} was added"):
        verify(sealed)


def test_a_truncated_file_is_named(sealed: Path) -> None:
    (sealed / "model.pt2").write_bytes(b"")
    with pytest.raises(BundleError, match=r"file model\.pt2 was changed"):
        verify(sealed)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("\n", "\n\n", "SHA256SUMS was edited"),
        ("\n", "\r\n", r"file 'manifest.json\\r' is missing"),
        ("  model", " *model", r"file model.pt2 was added"),
        ("model", "nodel", "file nodel.pt2 is missing"),
        ("model", "../model", r"file \.\./model.pt2 is missing"),
        ("model", "\x1b[2J", r"file '.x1b\[2J.pt2' is missing"),
        ("  model", "  SHA256SUMS\n  model", "file SHA256SUMS is missing"),
    ],
)
def test_edited_sums_are_found(sealed: Path, before: str, after: str, message: str) -> None:
    text = (sealed / SUMS_FILE).read_text().replace(before, after, 1)
    (sealed / SUMS_FILE).write_text(text)
    with pytest.raises(BundleError, match=message):
        verify(sealed)


def test_the_lines_may_not_end_in_another_way(sealed: Path) -> None:
    text = (sealed / SUMS_FILE).read_bytes()
    (sealed / SUMS_FILE).write_bytes(text.removesuffix(b"\n"))
    with pytest.raises(BundleError, match="SHA256SUMS was edited"):
        verify(sealed)


def test_an_empty_folder_is_refused(sealed: Path) -> None:
    (sealed / "empty").mkdir()
    with pytest.raises(BundleError, match="folder empty is empty; remove it"):
        verify(sealed)
    with pytest.raises(BundleError, match="folder empty is empty; remove it"):
        seal(sealed)


def test_a_list_of_another_folder_is_a_file_like_others(sealed: Path) -> None:
    before = seal(sealed)
    (sealed / "vocabularies" / SUMS_FILE).write_text("")
    assert seal(sealed) == verify(sealed).digest != before


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_unreadable_sums_are_named(sealed: Path, content: bytes | None) -> None:
    (sealed / SUMS_FILE).unlink()
    if content is not None:
        (sealed / SUMS_FILE).write_bytes(content)
    with pytest.raises(BundleError, match=r"SHA256SUMS cannot be read .*not a complete bundle"):
        verify(sealed)


@pytest.mark.parametrize("target", ["/etc/hostname", "model.pt2", "vocabularies", "nowhere"])
def test_a_symbolic_link_is_refused(sealed: Path, target: str) -> None:
    (sealed / "link").symlink_to(target)
    with pytest.raises(BundleError, match="link is a symbolic link; copy the file instead"):
        verify(sealed)
