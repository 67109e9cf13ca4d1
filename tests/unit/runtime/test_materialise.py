from __future__ import annotations

import contextlib
import dataclasses
import errno
import gc
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.bundle.cache import entry as entry_module
from spark_infer.bundle.cache.entry import _staging
from spark_infer.bundle.cache.locks import locked
from spark_infer.bundle.cache.tidy import Limits, marker_of, tidy
from spark_infer.bundle.files.digest import SUMS_FILE, verify
from spark_infer.errors import BundleError, ConfigError, RuntimeUnavailable
from spark_infer.runtime import materialise, pack
from tests.unit.support.models import LINE_SIGNATURE, Line


def never() -> bytes:
    raise AssertionError("the bundle is already there")


def entries(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.suffix not in (".lock", ".verified")}


def test_the_bundle_is_unpacked_once(fraud: Bundle, tmp_path: Path) -> None:
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert bundle == Bundle(tmp_path / fraud.digest, fraud.digest, fraud.manifest)
    assert Bundle.load(bundle.path).digest == fraud.digest
    assert materialise(fraud.digest, never, tmp_path) == bundle
    assert entries(tmp_path) == {fraud.digest}


def change(path: Path) -> None:
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: change(path / "artifacts/base/weights.safetensors"),
        lambda path: (path / SUMS_FILE).unlink(),
        lambda path: (path / "extra").write_text("x"),
        lambda path: [child.unlink() for child in path.rglob("*") if child.is_file()],
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


@pytest.mark.parametrize("noted", [False, True])
def test_another_bundle_under_the_digest_is_replaced(
    fraud: Bundle, recurrent: Bundle, tmp_path: Path, noted: bool
) -> None:
    other = materialise(recurrent.digest, lambda: pack(recurrent), tmp_path)
    other.path.rename(tmp_path / fraud.digest)
    if noted:
        marker_of(other.path).rename(marker_of(tmp_path / fraud.digest))
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


def test_what_was_verified_is_not_read_again(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    monkeypatch.setattr("spark_infer.bundle.bundle.verify", None)
    assert materialise(fraud.digest, never, tmp_path) == first


def test_a_bundle_from_the_cache_says_all_that_it_says_elsewhere(tmp_path: Path) -> None:
    options = {"profile": {"a": [0.1, 0.2, 0.2]}, "features": {"a": "b + 1"}}
    saved = si.save_bundle(tmp_path / "line", Line(2.0), signature=LINE_SIGNATURE, **options)
    (tmp_path / "cache").mkdir(mode=0o700)
    first = materialise(saved.digest, lambda: pack(saved), tmp_path / "cache")
    marker_of(first.path).unlink()
    verified, known = (materialise(saved.digest, never, tmp_path / "cache") for _ in range(2))
    for bundle in (first, verified, known):
        said = {
            field.name: getattr(bundle, field.name)
            for field in dataclasses.fields(bundle)
            if field.name not in ("path", "stamps")
        }
        assert said == {name: getattr(saved, name) for name in said}
        assert bundle.files == saved.files
    assert saved.profile is not None


def put_back(path: Path) -> None:
    """Change a file and give it its size and date again."""
    before = path.stat()
    change(path)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: put_back(path / "artifacts/base/weights.safetensors"),
        lambda path: (path / "artifacts/base/weights.safetensors").chmod(0o666),
        lambda path: path.chmod(0o755),
        lambda path: path.with_name(f"{path.name}.verified").write_text("{"),
        lambda path: path.with_name(f"{path.name}.verified").unlink(),
        lambda path: path.with_name(f"{path.name}.verified").write_bytes(b"\xff"),
    ],
    ids=["dates put back", "writable", "readable", "half a note", "no note", "another note"],
)
def test_what_was_touched_is_read_again_or_replaced(
    fraud: Bundle, tmp_path: Path, touch: Callable[[Path], object]
) -> None:
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    touch(bundle.path)
    again = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert Bundle.load(again.path).digest == fraud.digest
    assert all(again.path.joinpath(n).stat().st_mode & 0o777 == 0o400 for n in again.files)
    assert again.path.stat().st_mode & 0o777 == 0o700


def test_after_the_machine_started_anew_all_is_read_again(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    (tmp_path / "boot_id").write_text("another")
    monkeypatch.setattr(entry_module, "_BOOT_ID", tmp_path / "boot_id")
    verified = []
    monkeypatch.setattr(
        "spark_infer.bundle.bundle.verify", lambda root: verified.append(root) or verify(root)
    )
    for _ in range(2):
        materialise(fraud.digest, never, tmp_path)
    assert verified == [tmp_path / fraud.digest]


def test_the_files_can_be_read_by_their_user_and_written_by_nobody(
    fraud: Bundle, tmp_path: Path
) -> None:
    old = os.umask(0)
    try:
        bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    finally:
        os.umask(old)
    found = [bundle.path, *bundle.path.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in found if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in found if path.is_file()} == {0o400}


def plant(bundle: Bundle, path: Path) -> None:
    shutil.copytree(bundle.path, path)


def planted_link(bundle: Bundle, path: Path) -> None:
    path.symlink_to(bundle.path)


def planted_for_all(bundle: Bundle, path: Path) -> None:
    plant(bundle, path)
    path.chmod(0o777)


def planted_by_another(bundle: Bundle, path: Path) -> None:
    plant(bundle, path)
    if os.getuid() != 0:
        pytest.skip("needs root")
    os.chown(path, 1234, 1234)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (planted_link, "is a symbolic link, so"),
        (planted_for_all, "can be written by others, so"),
        (planted_by_another, "belongs to another user, so"),
        (lambda _, path: path.write_text(""), "is no directory, so"),
        (lambda _, path: os.mkfifo(path), "is no directory, so"),
    ],
)
def test_what_others_could_have_put_there_is_refused(
    fraud: Bundle, tmp_path: Path, entry: Callable[[Bundle, Path], object], message: str
) -> None:
    entry(fraud, tmp_path / fraud.digest)
    with pytest.raises(RuntimeUnavailable, match=f"{fraud.digest} {message} the bundle .*remove"):
        materialise(fraud.digest, never, tmp_path)


def test_a_file_of_another_user_in_a_bundle_is_replaced(fraud: Bundle, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root")
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    os.chown(bundle.path / "manifest.json", 1234, 1234)
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert (bundle.path / "manifest.json").stat().st_uid == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("place", ["shutil.copyfileobj", "os.fdopen", "tempfile.mkdtemp", "open"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, place: str
) -> None:
    archive = pack(fraud)

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr("spark_infer.bundle.cache.locks.os.open" if place == "open" else place, fail)
        with pytest.raises(RuntimeUnavailable) as caught:
            materialise(fraud.digest, lambda: archive, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"bundle {fraud.digest[:12]} cannot be unpacked in {tmp_path}: ")
    assert os.strerror(code) in message
    assert "SPARK_INFER_CACHE" in message
    assert entries(tmp_path) == set()
    assert materialise(fraud.digest, lambda: archive, tmp_path).digest == fraud.digest


def test_a_note_that_finds_no_room_is_done_without(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(entry_module, "write_note", fail)
        bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert materialise(fraud.digest, never, tmp_path) == bundle


@pytest.mark.parametrize(
    "plant",
    [
        lambda note, target: os.mkfifo(note),
        lambda note, target: note.symlink_to(target),
        lambda note, target: note.symlink_to("nowhere"),
        lambda note, target: note.mkdir(),
    ],
    ids=["a pipe", "a link", "a link to nowhere", "a folder"],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_no_note_is_neither_waited_for_nor_followed(
    fraud: Bundle, tmp_path: Path, plant: Callable[[Path, Path], object], when: str
) -> None:
    root = tmp_path / "cache"
    root.mkdir()
    target, note = tmp_path / "precious", root / f"{fraud.digest}.verified"
    target.write_text("precious")
    os.utime(target, (0, 0))
    if when == "after":
        materialise(fraud.digest, lambda: pack(fraud), root)
        target.write_bytes(note.read_bytes())
        note.unlink()
    before = target.read_bytes(), target.stat().st_mtime
    plant(note, target)
    for _ in range(2):
        assert materialise(fraud.digest, lambda: pack(fraud), root).digest == fraud.digest
    assert (target.read_bytes(), target.stat().st_mtime) == before
    assert not (root / "nowhere").exists()


def test_a_note_by_way_of_a_link_vouches_for_nothing(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    note = tmp_path / f"{fraud.digest}.verified"
    note.rename(tmp_path / "elsewhere")
    note.symlink_to("elsewhere")
    verified = []
    monkeypatch.setattr(
        "spark_infer.bundle.bundle.verify", lambda root: verified.append(root) or verify(root)
    )
    for _ in range(2):
        materialise(fraud.digest, never, tmp_path)
    assert verified == [tmp_path / fraud.digest]
    assert not note.is_symlink()


@pytest.mark.parametrize("plant", [os.mkfifo, lambda lock: lock.symlink_to("nowhere")])
def test_a_lock_that_is_no_plain_file_is_one_sentence(
    fraud: Bundle, tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    plant(tmp_path / f"{fraud.digest}.lock")
    with pytest.raises(RuntimeUnavailable, match=rf"cannot be unpacked in {tmp_path}: .*set SPARK"):
        materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert not (tmp_path / "nowhere").exists()


def test_an_archive_that_cannot_be_fetched_is_no_fault_of_the_cache(
    fraud: Bundle, tmp_path: Path
) -> None:
    def read() -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RuntimeUnavailable, match=r"did not arrive from the driver: .*No space"):
        materialise(fraud.digest, read, tmp_path)
    assert entries(tmp_path) == set()


@pytest.mark.parametrize("digest", ["", "../evil", "A" * 64, "0" * 63])
def test_what_is_no_digest_names_no_folder(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ConfigError, match="64 lowercase hexadecimal digits"):
        materialise(digest, never, tmp_path)
    assert list(tmp_path.iterdir()) == []


def hold_and_wait(digest: str, root: Path, ready: Event, done: Event) -> None:
    bundle = materialise(digest, never, root)
    ready.set()
    done.wait(timeout=60)
    assert bundle.digest == digest


def test_a_bundle_is_kept_while_another_process_refers_to_it(fraud: Bundle, tmp_path: Path) -> None:
    materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    gc.collect()
    nothing = Limits(max_bytes=0, max_days=0)
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold_and_wait, args=(fraud.digest, tmp_path, ready, done))
    process.start()
    assert ready.wait(timeout=60)
    tidy(tmp_path, nothing)
    assert entries(tmp_path) == {fraud.digest}
    done.set()
    process.join(timeout=60)
    assert process.exitcode == 0
    tidy(tmp_path, nothing)
    assert entries(tmp_path) == set()


def test_a_bundle_is_kept_while_this_process_refers_to_it(fraud: Bundle, tmp_path: Path) -> None:
    nothing = Limits(max_bytes=0, max_days=0)
    first = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    second = materialise(fraud.digest, never, tmp_path)
    del first
    gc.collect()
    tidy(tmp_path, nothing)
    assert entries(tmp_path) == {fraud.digest}
    assert second.files == fraud.files
    del second
    gc.collect()
    tidy(tmp_path, nothing)
    assert entries(tmp_path) == set()


def die_while_unpacking(digest: str, root: Path) -> None:
    def read() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    materialise(digest, read, root)


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_makes_is_not(
    fraud: Bundle, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=die_while_unpacking, args=(fraud.digest, tmp_path))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL
    (left,) = entries(tmp_path)
    with _staging(tmp_path / fraud.digest) as (staging, _):
        materialise(fraud.digest, lambda: pack(fraud), tmp_path)
        assert entries(tmp_path) == {fraud.digest, staging.name}
        assert left != staging.name
    assert entries(tmp_path) == {fraud.digest}


def test_another_digest_is_not_waited_for(fraud: Bundle, recurrent: Bundle, tmp_path: Path) -> None:
    with locked(tmp_path / f"{fraud.digest}.lock"):
        bundle = materialise(recurrent.digest, lambda: pack(recurrent), tmp_path)
    assert bundle.digest == recurrent.digest
