from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_infer.bundle.cache.locks import locked, share
from spark_infer.bundle.cache.tidy import (
    MAX_BYTES_VARIABLE,
    MAX_DAYS_VARIABLE,
    Limits,
    marker_of,
    staging_folder,
    tidy,
)
from spark_infer.errors import ConfigError

DAY = 86_400.0


def entry(root: Path, letter: str, *, num_bytes: int = 10, days_ago: float = 0) -> Path:
    """Make an unpacked bundle of one file."""
    path = root / (letter * 64)
    path.mkdir()
    (path / "file").write_bytes(b"x" * num_bytes)
    marker_of(path).touch()
    path.with_name(f"{path.name}.lock").touch()
    then = time.time() - days_ago * DAY
    os.utime(marker_of(path), (then, then))
    return path


def kept(root: Path) -> str:
    return "".join(sorted(path.name[0] for path in root.iterdir() if len(path.name) == 64))


def test_old_bundles_go_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    entry(tmp_path, "a", days_ago=31)
    entry(tmp_path, "b", days_ago=29)
    for _ in range(2):  # the lock of what is gone is a leftover
        tidy(tmp_path, Limits())
    assert {path.name[:1] for path in tmp_path.iterdir()} == {"b"}


@pytest.mark.parametrize(
    ("max_bytes", "room", "left"),
    [(30, 0, "abc"), (29, 0, "ac"), (20, 0, "ac"), (30, 1, "ac"), (30, 11, "a"), (0, 0, "")],
)
def test_of_too_much_the_longest_unused_goes(
    tmp_path: Path, max_bytes: int, room: int, left: str
) -> None:
    for letter, days in {"b": 3, "c": 2, "a": 1}.items():
        entry(tmp_path, letter, days_ago=days)
    tidy(tmp_path, Limits(max_bytes=max_bytes), room)
    assert kept(tmp_path) == left


def test_a_bundle_in_use_stays_and_the_next_goes(tmp_path: Path) -> None:
    held = share(entry(tmp_path, "a", days_ago=40))
    entry(tmp_path, "b", days_ago=1)
    entry(tmp_path, "c")
    try:
        tidy(tmp_path, Limits(max_bytes=20))
    finally:
        os.close(held)
    assert kept(tmp_path) == "ac"
    tidy(tmp_path, Limits(max_bytes=20))
    assert kept(tmp_path) == "c"


def test_a_bundle_without_a_note_has_its_own_age(tmp_path: Path) -> None:
    old = entry(tmp_path, "a")
    marker_of(old).unlink()
    os.utime(old, (0, 0))
    marker_of(entry(tmp_path, "b")).unlink()
    tidy(tmp_path, Limits())
    assert kept(tmp_path) == "b"


def test_staging_is_swept_unless_somebody_holds_it(tmp_path: Path) -> None:
    mine, left = staging_folder(tmp_path, "0" * 64), staging_folder(tmp_path, "1" * 64)
    (left / "half").write_text("half")
    held = share(mine)
    tidy(tmp_path, Limits())
    assert list(tmp_path.iterdir()) == [mine]
    os.close(held)
    tidy(tmp_path, Limits())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch])
def test_what_is_no_folder_is_no_staging(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = staging_folder(tmp_path, "0" * 64)
    folder.rmdir()
    make(folder)
    tidy(tmp_path, Limits())
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_held_stays(tmp_path: Path) -> None:
    lock = tmp_path / f"{'a' * 64}.lock"
    with locked(lock):
        tidy(tmp_path, Limits())
        assert lock.exists()
    tidy(tmp_path, Limits())
    assert not lock.exists()


def test_what_is_not_the_caches_own_stays(tmp_path: Path) -> None:
    for name in ("learned-sizes.json", "learned-sizes.json.lock", "notes.txt", "0123456789ab"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "0123456789ab-backup-of-mine").mkdir()
    target = tmp_path / "folder" / "target"
    target.mkdir()
    (tmp_path / "0123456789ab-link").symlink_to(target)
    (tmp_path / ("d" * 64)).symlink_to(target)
    before = sorted(tmp_path.rglob("*"))
    tidy(tmp_path, Limits(max_bytes=0, max_days=0))
    assert sorted(tmp_path.rglob("*")) == before


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Limits.from_environment() == Limits(max_bytes=20 * 2**30, max_days=30)
    monkeypatch.setenv(MAX_BYTES_VARIABLE, "0")
    monkeypatch.setenv(MAX_DAYS_VARIABLE, " 7 ")
    assert Limits.from_environment() == Limits(max_bytes=0, max_days=7)
    monkeypatch.setenv(MAX_BYTES_VARIABLE, "")
    assert Limits.from_environment() == Limits(max_days=7)


@pytest.mark.parametrize("text", ["20GB", "-1", "1.5", "1e9", "9" * 30, "\u0663"])
def test_a_limit_that_is_no_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(MAX_BYTES_VARIABLE, text)
    with pytest.raises(ConfigError, match="SPARK_INFER_CACHE_MAX_BYTES must be a whole number"):
        Limits.from_environment()
