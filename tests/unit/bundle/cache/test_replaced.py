"""A damaged bundle in the cache, replaced by one process while others look at it or remove it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle import Bundle
from spark_infer.bundle.cache import entry as entry_module
from spark_infer.bundle.cache.locks import claimed
from spark_infer.bundle.cache.tidy import Limits, discard, tidy
from spark_infer.bundle.manifest import Manifest
from spark_infer.runtime import materialise, pack


def unpacked(bundle: Bundle, root: Path) -> Path:
    materialise(bundle.digest, lambda: pack(bundle), root)
    return root / bundle.digest


def damage(entry: Path) -> None:
    file = entry / "manifest.json"
    file.chmod(0o600)
    file.write_bytes(b"x")


def test_what_is_being_evicted_is_replaced_when_it_is_gone(fraud: Bundle, tmp_path: Path) -> None:
    entry = unpacked(fraud, tmp_path)
    damage(entry)
    made: list[Bundle] = []
    maker = threading.Thread(
        target=lambda: made.append(materialise(fraud.digest, lambda: pack(fraud), tmp_path))
    )
    with claimed(entry) as unused:
        assert unused
        maker.start()
        maker.join(0.5)
        assert not made
        discard(entry)
    maker.join()
    assert made[0].path == entry
    made[0].check_unchanged()
    # It is in use.
    tidy(tmp_path, Limits(max_bytes=0))
    assert entry.is_dir()


def test_what_is_being_replaced_is_not_evicted(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = unpacked(fraud, tmp_path)
    damage(entry)
    claims = []

    def watched(path: Path) -> None:
        with claimed(path) as unused:
            claims.append(unused)
        discard(path)

    monkeypatch.setattr(entry_module, "discard", watched)
    assert materialise(fraud.digest, lambda: pack(fraud), tmp_path).path == entry
    assert claims == [False]


def test_what_is_gone_needs_not_be_removed(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = unpacked(fraud, tmp_path)
    damage(entry)

    def removed(path: Path) -> None:
        shutil.rmtree(path)
        discard(path)

    monkeypatch.setattr(entry_module, "discard", removed)
    assert materialise(fraud.digest, lambda: pack(fraud), tmp_path).path == entry
    assert {path.name for path in tmp_path.iterdir()} == {
        fraud.digest,
        f"{fraud.digest}.lock",
        f"{fraud.digest}.verified",
    }


@pytest.mark.parametrize("name", ["manifest.json", ""])
@pytest.mark.parametrize("when", ["before it is looked at", "before it is read"])
def test_what_goes_while_it_is_opened_is_made_again(
    fraud: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    entry = unpacked(fraud, tmp_path)
    home, function = (
        (entry_module, "scan") if when == "before it is looked at" else (Manifest, "read")
    )
    usual, calls = getattr(home, function), []

    def late(path: Path) -> Any:
        found = usual(path) if function == "scan" else None
        if not calls:
            shutil.rmtree(path) if not name else (path / name).unlink()
        calls.append(path)
        return found or usual(path)

    monkeypatch.setattr(home, function, late)
    bundle = materialise(fraud.digest, lambda: pack(fraud), tmp_path)
    assert bundle.path == entry
    bundle.check_unchanged()
