"""What is saved behind a URI is read back, and an upload that ended early is no bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle import Bundle, Manifest, Output, ScalarInput, Signature
from spark_infer.bundle.files.digest import SUMS_FILE
from spark_infer.bundle.places import Place, as_place
from spark_infer.bundle.places.upload import upload_bundle
from spark_infer.errors import BundleError
from tests.s3 import Bucket
from tests.unit.support.artifacts import EXPORTED

MANIFEST = Manifest(
    name="m",
    artifacts=EXPORTED,
    signature=Signature(inputs=[ScalarInput("x", columns=["a"])], outputs=[Output("y")]),
)


def save(
    uri: str, check: Callable[[Bundle], None] = lambda bundle: None, content: bytes = b"weights"
) -> Bundle:
    place = as_place(uri, name="a bundle", what="bundle", error=BundleError)
    assert isinstance(place, Place)

    def write_files(root: Path) -> None:
        (root / "a.bin").write_bytes(content)

    return upload_bundle(place, MANIFEST, write_files, check)


def test_what_is_saved_is_loaded(bucket: Bucket, tmp_path: Path) -> None:
    uri = bucket.uri("deep/m")
    checked = []
    bundle = save(uri, checked.append)
    assert [b.digest for b in checked] == [bundle.digest]
    assert bundle.path.parent == tmp_path / "cache" / "bundles"
    assert Bundle.load(uri) == bundle
    assert bundle.manifest == MANIFEST
    names = [*bundle.files, SUMS_FILE]
    assert [key for key in bucket.names() if not key.endswith("/")] == sorted(
        f"deep/m/{name}" for name in names
    )
    for name in names:
        assert bucket.get(f"deep/m/{name}") == (bundle.path / name).read_bytes()


def test_what_is_there_stays(bucket: Bucket) -> None:
    uri = bucket.uri("m")
    bundle = save(uri)
    before = {key: bucket.get(key) for key in bucket.names()}
    with pytest.raises(BundleError, match=r"bundle s3://bucket.*something is there already"):
        save(uri)
    assert {key: bucket.get(key) for key in bucket.names()} == before
    assert Bundle.load(uri) == bundle


def test_a_bundle_that_is_refused_is_not_uploaded(bucket: Bucket) -> None:
    def check(bundle: Bundle) -> None:
        raise BundleError("refused")

    with pytest.raises(BundleError, match=r"^refused$"):
        save(bucket.uri("m"), check)
    assert bucket.names() == []


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("error", [BundleError("lost", transient=True), KeyboardInterrupt()])
def test_an_upload_that_ended_early_is_no_bundle(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException
) -> None:
    write = Place.write
    written = []

    def lost(self: Place, name: str, *rest: Any) -> None:
        if len(written) == number:
            raise error
        written.append(name)
        write(self, name, *rest)

    uri = bucket.uri("m")
    with monkeypatch.context() as patch:
        patch.setattr(Place, "write", lost)
        with pytest.raises(type(error)):
            save(uri)
    assert SUMS_FILE not in written
    with pytest.raises(BundleError, match=r"cannot be read \('SHA256SUMS'\)"):
        Bundle.load(uri)
    if number:
        with pytest.raises(BundleError, match="something is there already"):
            save(uri)
        for key in bucket.names():
            bucket.delete(key)
    assert save(uri) == Bundle.load(uri)


def test_what_another_wrote_meanwhile_is_not_taken_for_it(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(bucket.uri("other"), content=b"other weights")
    write = Place.write
    changes = {"artifacts/base/a.bin": b"WEIGHTS"}

    def raced(self: Place, name: str, *rest: Any) -> None:
        write(self, name, *rest)
        if name == SUMS_FILE:
            for changed, content in changes.items():
                bucket.put(f"m/{changed}", content)

    monkeypatch.setattr(Place, "write", raced)
    with pytest.raises(BundleError, match=r"bundle s3://.*a\.bin was changed"):
        save(bucket.uri("m"))
    for key in bucket.names():
        if key.startswith("m/"):
            bucket.delete(key)
    for name in ("artifacts/base/a.bin", SUMS_FILE):
        changes[name] = bucket.get(f"other/{name}")
    with pytest.raises(BundleError, match=r"bundle s3://.*its digest is .* is asked for"):
        save(bucket.uri("m"))


def test_a_temporary_folder_that_cannot_be_made(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(BundleError, match=r"cannot be made in .*missing: .*set TMPDIR"):
        save(bucket.uri("m"))
    assert bucket.names() == []
