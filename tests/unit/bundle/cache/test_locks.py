from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spark_infer.bundle.cache import locks
from spark_infer.bundle.cache.locks import claimed, locked, share, take


def test_many_share_and_nobody_claims_what_is_shared(tmp_path: Path) -> None:
    first, second = share(tmp_path), share(tmp_path)
    for held in (first, second):
        with claimed(tmp_path) as mine:
            assert not mine
        os.close(held)
    with claimed(tmp_path) as mine, claimed(tmp_path) as again:
        assert (mine, again) == (True, False)


def test_a_lock_file_is_held_alone(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), claimed(tmp_path / "lock") as mine:
        assert not mine
    with claimed(tmp_path / "lock") as mine:
        assert mine


def test_what_is_taken_is_held_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = take(path, mode=0o600)
    with pytest.raises(BlockingIOError):
        take(path)
    os.close(held)
    os.close(take(path, wait=True))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("file"),
        lambda path: path.symlink_to("nothing"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
    ids=["link", "link to nothing", "folder", "pipe"],
)
def test_what_is_no_plain_file_is_never_a_lock_file(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "file").touch()
    make(tmp_path / "lock")
    with pytest.raises(OSError, match=r"link|directory|no plain file"):
        take(tmp_path / "lock")
    with pytest.raises(OSError, match=r"link|directory|no plain file"), locked(tmp_path / "lock"):
        pass
    assert not (tmp_path / "nothing").exists()


def test_who_waits_says_so_once(tmp_path: Path) -> None:
    waits = threading.Event()
    said: list[str] = []

    def say() -> None:
        said.append("waiting")
        waits.set()

    def wait() -> None:
        with locked(tmp_path / "lock", on_wait=say):
            said.append("held")

    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / "lock", on_wait=say):
            waiter = pool.submit(wait)
            assert waits.wait(60)
            assert said == ["waiting"]
        waiter.result(60)
    assert said == ["waiting", "held"]


def test_what_is_not_there_is_not_claimed(tmp_path: Path) -> None:
    with claimed(tmp_path / "nothing") as mine:
        assert not mine
    with pytest.raises(FileNotFoundError):
        share(tmp_path / "nothing")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with claimed(tmp_path / "link") as mine:
        assert not mine
    with pytest.raises(OSError, match="link"):
        share(tmp_path / "link")


def in_flock(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return an event that is set when somebody is about to wait for a lock."""
    waiting, flock = threading.Event(), locks.fcntl.flock

    def announced(descriptor: int, operation: int) -> None:
        waiting.set()
        flock(descriptor, operation)

    monkeypatch.setattr(locks.fcntl, "flock", announced)
    return waiting


def test_a_lock_file_that_is_removed_while_waiting_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"

    def hold() -> bool:
        with locked(path), claimed(path) as mine:
            return mine

    with ThreadPoolExecutor(1) as pool:
        with locked(path):
            waiting = in_flock(monkeypatch)
            found = pool.submit(hold)
            assert waiting.wait(timeout=60)
            path.unlink()
        assert found.result(timeout=60) is False
    assert path.exists()


def test_a_folder_that_is_removed_while_waiting_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with ThreadPoolExecutor(1) as pool:
        with claimed(folder):
            waiting = in_flock(monkeypatch)
            found = pool.submit(share, folder)
            assert waiting.wait(timeout=60)
            folder.rmdir()
        with pytest.raises(FileNotFoundError):
            found.result(timeout=60)
