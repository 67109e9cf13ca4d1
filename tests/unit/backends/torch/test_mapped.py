"""Whoever writes over the weights of a model that runs is noticed; whoever replaces them is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.torch.weights import WEIGHTS_FILE
from spark_infer.bundle import Bundle
from spark_infer.bundle.files import mapped
from spark_infer.bundle.files.mapped import MappedFile
from spark_infer.errors import BundleError
from tests.unit.support.models import HERE, fraud_rows, save_fraud, visits

WRITTEN = r"weights\.safetensors was written to while .* load the bundle again"


def other_numbers(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:
        file.write(content)


def with_the_same_time(path: Path) -> None:
    status = path.stat()
    other_numbers(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def shorter(path: Path) -> None:
    os.truncate(path, 0)


def there_and_back(path: Path) -> None:
    content = path.read_bytes()
    other_numbers(path)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["fraud_copy", "recurrent_copy"])
@pytest.mark.parametrize(
    "write", [other_numbers, with_the_same_time, longer, shorter, there_and_back]
)
def test_weights_that_are_written_to_end_the_predictions(
    request: pytest.FixtureRequest, kind: str, write: Callable[[Path], None]
) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    # Without a cache: an answer of before is still right.
    options = si.BatchOptions(cache_bytes=0)
    predictor = si.Predictor(si.load_model(bundle, allow_modules=[HERE]), bundle, options)
    rows = fraud_rows(5) if kind == "fraud_copy" else visits(1, 2)
    predictor.predict(rows)
    write(bundle.artifact_path / WEIGHTS_FILE)
    for _ in range(2):
        with pytest.raises(BundleError, match=WRITTEN):
            predictor.predict(rows)
    with pytest.raises(BundleError, match=WRITTEN):
        list(predictor.stream([rows]))


def saved_again(path: Path) -> None:
    save_fraud(path)


def removed(path: Path) -> None:
    shutil.rmtree(path)


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def linked(path: Path) -> None:
    file = path / "artifacts/base" / WEIGHTS_FILE
    file.with_name("link").hardlink_to(file)


def protected(path: Path) -> None:
    (path / "artifacts/base" / WEIGHTS_FILE).chmod(0o400)


@pytest.mark.parametrize("change", [saved_again, removed, moved, linked, protected])
def test_a_bundle_that_is_replaced_is_used_as_it_was(
    fraud_copy: Bundle, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = si.Predictor(si.load_model(fraud_copy), fraud_copy, si.BatchOptions(cache_bytes=0))
    expected = predictor.predict(fraud_rows(20))
    change(fraud_copy.path)
    assert predictor.predict(fraud_rows(20)).equals(expected)
    # What was looked at is not read again.
    monkeypatch.setattr(mapped, "_PIECE", None)
    assert predictor.predict(fraud_rows(20)).equals(expected)


def test_a_file_that_can_no_longer_be_looked_at_is_as_good_as_written_to(
    fraud_copy: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load_backend(fraud_copy)

    def stale(_: MappedFile) -> None:
        raise OSError(116, "Stale file handle")

    predictor = si.Predictor(si.LocalModel(backend), fraud_copy)
    monkeypatch.setattr(MappedFile, "_now", stale)
    with pytest.raises(BundleError, match=WRITTEN):
        predictor.predict(fraud_rows(2))


def test_a_file_is_closed_with_its_model(fraud_copy: Bundle) -> None:
    file = MappedFile(fraud_copy.path, "manifest.json")
    descriptor = file._descriptor
    os.fstat(descriptor)
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("name", ["SHA256SUMS", "nothing"])
def test_only_files_of_the_bundle_are_watched(fraud_copy: Bundle, name: str) -> None:
    with pytest.raises(BundleError, match=r"is no file of the bundle|cannot be read"):
        MappedFile(fraud_copy.path, name)
