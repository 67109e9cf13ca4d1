from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from spark_infer.bundle import Bundle
from spark_infer.bundle.digest import SUMS_FILE
from spark_infer.errors import BundleError, RuntimeUnavailable
from spark_infer.runtime import materialise, pack
from spark_infer.runtime.materialise import CACHE_VARIABLE, cache_directory


def never() -> bytes:
    raise AssertionError("the bundle is already there")


def entries(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.suffix != ".lock"}


def test_the_bundle_is_unpacked_once(fraud: Bundle, tmp_path: Path) -> None:
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert bundle == Bundle(tmp_path / fraud.digest, fraud.digest, fraud.manifest)
    assert Bundle.load(bundle.path).digest == fraud.digest
    assert materialise(fraud.digest, never, tmp_path) == bundle
    assert entries(tmp_path) == {fraud.digest}


def change(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: change(path / "weights.safetensors"),
        lambda path: (path / SUMS_FILE).unlink(),
        lambda path: (path / "extra").write_text("x"),
        lambda path: [child.unlink() for child in path.iterdir() if child.is_file()],
    ],
    ids=["changed", "no sums", "added", "emptied"],
)
def test_a_damaged_copy_is_replaced(
    fraud: Bundle, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    damage(bundle.path)
    repaired = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert Bundle.load(repaired.path).digest == fraud.digest
    assert entries(tmp_path) == {fraud.digest}


def test_another_bundle_under_the_digest_is_replaced(
    fraud: Bundle, recurrent: Bundle, tmp_path: Path
) -> None:
    other = materialise(recurrent.digest, lambda: pack(recurrent), tmp_path)
    other.path.rename(tmp_path / fraud.digest)
    assert materialise(fraud.digest, lambda: pack(fraud), tmp_path).name == fraud.name
    assert Bundle.load(tmp_path / fraud.digest).digest == fraud.digest


def test_an_archive_of_another_bundle_is_refused(
    fraud: Bundle, recurrent: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(
        BundleError, match=f"has digest {recurrent.digest}, expected {fraud.digest}"
    ):
        materialise(fraud.digest, lambda: pack(recurrent), tmp_path)
    assert entries(tmp_path) == set()


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_a_failed_transfer_leaves_nothing_and_can_be_repeated(
    fraud: Bundle, tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(BundleError):
        materialise(fraud.digest, lambda: data, tmp_path)
    assert entries(tmp_path) == set()
    assert materialise(fraud.digest, lambda: pack(fraud), tmp_path).digest == fraud.digest


def materialise_in_a_race(
    digest: str, archive: bytes, root: Path, start: Barrier, together: Barrier
) -> None:
    def read() -> bytes:
        (root / f"read-by-{os.getpid()}").touch()
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=1)  # passes only when both processes read
        return archive

    start.wait(timeout=60)
    bundle = materialise(digest, read, root)
    assert Bundle.load(bundle.path).digest == digest


def test_of_two_processes_one_unpacks_and_both_get_the_bundle(
    fraud: Bundle, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    start, together = context.Barrier(2), context.Barrier(2)
    arguments = (fraud.digest, pack(fraud), tmp_path, start, together)
    processes = [context.Process(target=materialise_in_a_race, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    reads = [name for name in entries(tmp_path) if name.startswith("read-by-")]
    assert len(reads) == 1
    assert entries(tmp_path) == {fraud.digest, *reads}


def test_the_cache_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = cache_directory()
    assert path == tmp_path / f"spark_infer-{os.getuid()}"
    assert path.stat().st_mode & 0o777 == 0o700
    assert cache_directory() == path


def test_the_cache_can_be_elsewhere(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "deep" / "cache"))
    bundle = materialise(fraud.digest, lambda: pack(fraud))
    assert bundle.path == tmp_path / "deep" / "cache" / fraud.digest


def test_the_cache_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    somebody = tmp_path.stat().st_uid + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.raises(RuntimeUnavailable, match=f"{tmp_path} belongs to another user; set SPARK_"):
        cache_directory()


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(RuntimeUnavailable, match=r"cannot be unpacked: .*set SPARK_INFER_CACHE"):
        cache_directory()
