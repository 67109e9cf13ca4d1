from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import os
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError
from spark_infer.runtime import pack
from spark_infer.runtime.archive import unpack


def tar(*entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_what_is_packed_is_unpacked(fraud: Bundle, tmp_path: Path) -> None:
    unpack(pack(fraud), tmp_path / "copy")
    copy = Bundle.load(tmp_path / "copy")
    assert copy.digest == fraud.digest
    assert copy.files == fraud.files


def test_other_files_of_the_directory_stay_behind(fraud_copy: Bundle, tmp_path: Path) -> None:
    (fraud_copy.path / "empty").mkdir()
    unpack(pack(fraud_copy), tmp_path / "again")
    assert not (tmp_path / "again" / "empty").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "{outside}/evil"])
def test_an_entry_outside_is_refused(tmp_path: Path, name: str) -> None:
    name = name.format(outside=tmp_path)
    with pytest.raises(BundleError, match=r"the bundle's archive holds .*evil', which is refused"):
        unpack(tar(("fine", b"1"), (name, b"2")), tmp_path / "target")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "entry",
    [
        special("entry", tarfile.SYMTYPE, "/etc/hostname"),
        special("entry", tarfile.LNKTYPE, "fine"),
        special("entry", tarfile.DIRTYPE),
        special("entry", tarfile.FIFOTYPE),
    ],
    ids=["symlink", "hard link", "directory", "fifo"],
)
def test_an_entry_that_is_no_file_is_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    with pytest.raises(BundleError, match="archive holds 'entry', which is refused"):
        unpack(tar(("fine", b"1"), entry), tmp_path / "target")
    assert not (tmp_path / "target" / "entry").exists()


@pytest.mark.parametrize("data", [b"no archive", tar(("a", bytes(2000)))[:1024]])
def test_a_damaged_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BundleError, match="the bundle's archive is damaged"):
        unpack(data, tmp_path)


def test_only_names_and_bytes_travel(fraud_copy: Bundle) -> None:
    before = pack(fraud_copy)
    for name in fraud_copy.files:
        (fraud_copy.path / name).chmod(0o6777)
        os.utime(fraud_copy.path / name, (0, 0))
    assert pack(fraud_copy) == before


def test_a_bundle_that_changed_is_not_packed(
    fraud_copy: Bundle, recurrent: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_: object) -> None:
        shutil.rmtree(fraud_copy.path)
        shutil.copytree(recurrent.path, fraud_copy.path)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "addfile", replace)
        with pytest.raises(BundleError, match=r"cannot be read|changed after it was opened"):
            pack(fraud_copy)
    with pytest.raises(BundleError, match="changed after it was opened; open it again"):
        pack(fraud_copy)


def test_a_pipe_in_a_files_place_is_not_packed(fraud_copy: Bundle) -> None:
    path = fraud_copy.artifact_path / "weights.safetensors"
    listed = fraud_copy.files
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BundleError, match=r"weights\.safetensors is a named pipe"):
        pack(fraud_copy)
    assert "artifacts/base/weights.safetensors" in listed


@pytest.mark.parametrize("name", ["a\nb", "a\\b", " a", "a/ b", "\x1b", "./a", "a//b", "-"])
def test_a_name_that_no_bundle_has_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="refused"):
        unpack(tar((name, b"1")), tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_two_entries_at_one_place_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(BundleError, match="the bundle's archive is damaged"):
        unpack(tar(*((name, b"1") for name in names)), tmp_path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BundleError, match="the bundle's archive is damaged"):
        unpack(compress(tar(("a", b"1"))), tmp_path)


def pax(headers: dict[str, str], name: str = "a", content: bytes = b"1") -> bytes:
    """Return an archive of one file whose extended header says what it likes."""
    buffer = io.BytesIO()
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(content), headers
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def header(kind: bytes, size: int = 0) -> bytes:
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "data",
    [
        pax({"GNU.sparse.map": "1,x"}),
        pax({"GNU.sparse.map": "0,1", "GNU.sparse.size": "-1"}),
        pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, content=b"x\n"),
        pax({"GNU.sparse.size": "x"}),
        pax({"size": "-1"}),
        pax({"size": "-512"}),
        pax({"size": str(2**70)}),
        header(tarfile.REGTYPE, -1),
        header(tarfile.REGTYPE, 2**70),
        header(tarfile.GNUTYPE_LONGNAME, -512),
        header(tarfile.GNUTYPE_LONGNAME, 2**70),
        header(tarfile.XHDTYPE, -1),
        header(tarfile.XGLTYPE, -512),
        header(tarfile.GNUTYPE_LONGNAME) * 3000,
        header(tarfile.XHDTYPE) * 3000,
        tar(("/".join(["d"] * 1500), b"1")),
        tar(("/".join(["d"] * 3000), b"1")),
        tar(("n" * 256, b"1")),
        tar(("n" * 5000, b"1")),
        tar(("é" * 200, b"1")),
        tar(*((f"{number}", b"") for number in range(10_001))),
    ],
)
def test_an_archive_that_nobody_packed_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BundleError, match="the bundle's archive ") as caught:
        unpack(data, tmp_path / "target")
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_any_change_of_an_archive_gives_files_or_one_sentence(
    fraud: Bundle, tmp_path: Path
) -> None:
    data = pax({"size": "1", "GNU.sparse.name": "b"}) + pack(fraud)
    heads = [start for start in range(0, len(data), 512) if data[start + 257 :][:5] == b"ustar"]
    chance = random.Random(1)
    for number in range(500):
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            start = chance.choice(heads)
            changed[start + chance.randrange(1024)] = chance.choice(b"\0\n -019x\x80\xff/LKSgx")
            # A header counts when its sum is right.
            changed[start + 148 : start + 156] = b" " * 8
            total = sum(changed[start : start + 512])
            changed[start + 148 : start + 156] = b"%06o\0 " % total
        with contextlib.suppress(BundleError):
            unpack(bytes(changed), tmp_path / str(number))
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)


def test_a_full_disk_is_no_fault_of_the_archive(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(OSError, match="No space left"):
        unpack(pack(fraud), tmp_path)


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds 'a', which is refused"):
        unpack(tar(special("a", tarfile.GNUTYPE_SPARSE)), tmp_path)
