from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_infer.bundle import Bundle
from spark_infer.bundle.cache.directory import CACHE_VARIABLE, cache_directory, check_own
from spark_infer.bundle.cache.tidy import MAX_DAYS_VARIABLE
from spark_infer.errors import RuntimeUnavailable
from spark_infer.runtime import materialise, pack


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
    assert bundle.path == tmp_path / "deep" / "cache" / "bundles" / fraud.digest


def test_nothing_is_swept_outside_of_the_bundles_folder(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setenv(MAX_DAYS_VARIABLE, "0")
    for name in ("0123456789ab-abcdefgh", "0123456789ab-backup", "a" * 64):
        for parent in (tmp_path, tmp_path / "mine"):
            (parent / name).mkdir(parents=True)
            (parent / name / "file").touch()
            os.utime(parent / name, (0, 0))
    (tmp_path / f"{'b' * 64}.lock").touch()
    before = set(tmp_path.rglob("*"))
    materialise(fraud.digest, lambda: pack(fraud))
    (tmp_path / "bundles").rename(tmp_path.parent / "swept")
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to("/"), lambda path: path.touch(), os.mkfifo]
)
def test_a_bundles_folder_that_is_none_is_refused(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    make(tmp_path / "bundles")
    with pytest.raises(RuntimeUnavailable, match=r"/bundles.*set SPARK_INFER_CACHE"):
        materialise(fraud.digest, lambda: pack(fraud))


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


def test_no_temp_directory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(RuntimeUnavailable, match=r"No usable temporary .*set SPARK_INFER_CACHE"):
        cache_directory()


def test_the_cache_is_where_it_was_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, "here")
    assert cache_directory() == tmp_path / "here"


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_cache_that_others_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(RuntimeUnavailable, match="cache can be written by others; set SPARK_INFER"):
        cache_directory()


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o500])
def test_a_cache_that_others_can_read_is_taken(tmp_path: Path, mode: int) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    check_own(tmp_path / "cache")


def test_a_cache_behind_a_symbolic_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "cache").symlink_to("real")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(RuntimeUnavailable, match="cache is a symbolic link; set SPARK_INFER_CACHE"):
        cache_directory()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o703])
def test_a_cache_that_others_can_replace_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "open" / "own").mkdir(parents=True)
    (tmp_path / "open").chmod(mode)
    for root in (tmp_path / "open" / "own", tmp_path / "open" / "own" / "deeper"):
        root.mkdir(exist_ok=True)
        with pytest.raises(RuntimeUnavailable, match=r"by others, who can write .*/open; set"):
            check_own(root)


def test_a_link_that_others_can_replace_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "safe" / "cache").mkdir(parents=True, mode=0o700)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "second").symlink_to(tmp_path / "safe")
    (tmp_path / "first").symlink_to("open/second")
    with pytest.raises(
        RuntimeUnavailable, match=r"could be replaced by others, who can write .*open"
    ):
        check_own(tmp_path / "first" / "cache")
    (tmp_path / "open").chmod(0o755)
    check_own(tmp_path / "first" / "cache")


def test_a_cache_that_others_can_replace_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "own").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("open/own")
    (tmp_path / "open" / "own" / "cache").mkdir()
    with pytest.raises(RuntimeUnavailable, match="could be replaced by others"):
        check_own(tmp_path / "link" / "cache")


def test_a_folder_with_the_sticky_bit_may_hold_the_cache(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "cache").mkdir(parents=True)
    (tmp_path / "tmp").chmod(0o1777)
    check_own(tmp_path / "tmp" / "cache")
