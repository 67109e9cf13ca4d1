"""A bundle behind a URI is the bundle that was saved, or it is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import spark_infer as si
from spark_infer.bundle.files.digest import SUMS_FILE, seal
from spark_infer.bundle.places import Place
from spark_infer.bundle.places.place import Seen
from spark_infer.errors import BundleError, ConfigError, RuntimeUnavailable
from tests.s3 import Bucket, new_bucket, s3_server

WEIGHTS = "artifacts/base/weights.safetensors"


def upload(bucket: Bucket, bundle: si.Bundle, key: str = "bundles/fraud") -> str:
    for name in (*bundle.files, SUMS_FILE):
        bucket.put(f"{key}/{name}", (bundle.path / name).read_bytes())
    return bucket.uri(key)


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are fetched."""
    names: list[str] = []
    copy = Place.copy

    def counted(self: Place, name: str, *rest: Any) -> None:
        names.append(name)
        copy(self, name, *rest)

    monkeypatch.setattr(Place, "copy", counted)
    return names


def cache(tmp_path: Path) -> set[str]:
    """Names of the bundles in the cache, and of what should not be left there."""
    found = (tmp_path / "cache" / "bundles").glob("*")
    return {path.name for path in found if path.suffix not in (".lock", ".verified")}


def test_it_is_fetched_once(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path, copied: list[str]
) -> None:
    uri = upload(bucket, fraud)
    bundle = si.Bundle.load(uri)
    assert bundle.digest == fraud.digest
    assert bundle.manifest == fraud.manifest
    assert bundle.files == fraud.files
    assert bundle.path == tmp_path / "cache" / "bundles" / fraud.digest
    assert sorted(copied) == sorted([*fraud.files, SUMS_FILE])
    copied.clear()
    assert si.Bundle.load(f"{uri}", digest=fraud.digest) == bundle
    assert si.Bundle.load(upload(bucket, fraud, "elsewhere")) == bundle
    assert copied == []
    assert cache(tmp_path) == {fraud.digest}


def test_it_predicts_like_the_local_one(fraud: si.Bundle, bucket: Bucket) -> None:
    uri = upload(bucket, fraud)
    assert si.load_model(uri) is not None
    assert si.load_model(si.Bundle.load(uri)) is not None


def test_a_damaged_copy_in_the_cache_is_fetched_again(
    fraud: si.Bundle, bucket: Bucket, copied: list[str]
) -> None:
    uri = upload(bucket, fraud)
    path = si.Bundle.load(uri).path / "manifest.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"fraud", b"FRAUD"))
    copied.clear()
    assert si.Bundle.load(uri).manifest == fraud.manifest
    assert copied != []


def test_another_bundle_in_its_place_is_another_bundle(
    fraud: si.Bundle, recurrent: si.Bundle, bucket: Bucket, tmp_path: Path
) -> None:
    uri = upload(bucket, fraud)
    first = si.Bundle.load(uri)
    for key in bucket.names():
        bucket.delete(key)
    upload(bucket, recurrent)
    assert si.Bundle.load(uri).digest == recurrent.digest
    assert first.current().digest == fraud.digest
    assert cache(tmp_path) == {fraud.digest, recurrent.digest}


def test_another_digest_is_refused_before_anything_is_fetched(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path, copied: list[str]
) -> None:
    uri = upload(bucket, fraud)
    with pytest.raises(BundleError, match=f"its digest is {fraud.digest}, and {'0' * 64} is asked"):
        si.Bundle.load(uri, digest="0" * 64)
    with pytest.raises(ConfigError, match="64 lowercase hexadecimal digits"):
        si.Bundle.load(uri, digest="0" * 12)
    assert copied == []
    assert cache(tmp_path) == set()


@pytest.mark.parametrize(
    "key",
    [
        "a\\b",
        " a",
        "a ",
        "-",
        "\u202e",
        "../evil",
        "a/../../evil",
        "..",
        ".",
        "./a",
        "a/./b",
        "/a",
        "a//b",
        "manifest.json/evil",
        "n" * 300,
        "/".join("d" * 480),
    ],
)
def test_a_name_that_no_bundle_has_is_refused(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path, copied: list[str], key: str
) -> None:
    uri = upload(bucket, fraud)
    bucket.put(f"bundles/fraud/{key}", b"evil")
    before = set(tmp_path.rglob("*"))
    with pytest.raises(BundleError, match=r"bundle s3://bucket-.*") as caught:
        si.Bundle.load(uri)
    assert "\n" not in str(caught.value)
    assert not caught.value.transient
    assert cache(tmp_path) == set()
    assert not [path for path in set(tmp_path.rglob("*")) - before if "evil" in path.name]
    if "refused" in str(caught.value):
        assert copied == []


def test_a_line_break_in_a_name_is_refused(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of these tests has no such keys."""
    uri = upload(bucket, fraud)
    files = Place.files
    monkeypatch.setattr(Place, "files", lambda self: {**files(self), "a\nb": Seen(1, 1)})
    with pytest.raises(BundleError, match=r"the name 'a\\nb' is refused"):
        si.Bundle.load(uri)
    assert cache(tmp_path) == set()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({str(number): Seen(0, 1) for number in range(10_001)}, "more than 10,000 files"),
        ({"a": Seen(2**39, 1), "b": Seen(2**39 + 1, 1)}, "more than 1,099,511,627,776 bytes"),
    ],
)
def test_more_than_a_bundle_may_have_is_not_fetched(
    fraud: si.Bundle,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    copied: list[str],
    files: dict[str, Seen],
    message: str,
) -> None:
    uri = upload(bucket, fraud)
    monkeypatch.setattr(Place, "files", lambda self: files)
    with pytest.raises(BundleError, match=message):
        si.Bundle.load(uri)
    assert copied == []


def change(name: str) -> Callable[[Bucket, si.Bundle], None]:
    def put(bucket: Bucket, bundle: si.Bundle) -> None:
        content = (bundle.path / name).read_bytes()
        bucket.put(f"bundles/fraud/{name}", content[:-1] + bytes([content[-1] ^ 1]))

    return put


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change(WEIGHTS), f"file {WEIGHTS} was changed after the bundle"),
        (change("manifest.json"), "file manifest.json was changed after the bundle"),
        (lambda b, _: b.put("bundles/fraud/extra", b"1"), "file extra was added"),
        (lambda b, _: b.put("bundles/fraud/x.pkl", b"1"), "looks like a pickle"),
        (lambda b, _: b.delete("bundles/fraud/manifest.json"), "file manifest.json is missing"),
        (lambda b, _: b.delete(f"bundles/fraud/{SUMS_FILE}"), r"cannot be read \('SHA256SUMS'\)"),
        (lambda b, _: b.put(f"bundles/fraud/{SUMS_FILE}"), "was added"),
        (lambda b, _: b.put("bundles/fraud/manifest.json", bytes(2**24 + 1)), "has more than 16"),
        (lambda b, _: b.put(f"bundles/fraud/{SUMS_FILE}", bytes(2**24 + 1)), "has more than 16"),
    ],
)
@pytest.mark.parametrize("in_cache", [False, True])
def test_what_is_not_the_bundle_is_refused(
    fraud: si.Bundle,
    bucket: Bucket,
    tmp_path: Path,
    damage: Callable[[Bucket, si.Bundle], None],
    message: str,
    in_cache: bool,
) -> None:
    uri = upload(bucket, fraud)
    if in_cache:
        si.Bundle.load(uri)
    damage(bucket, fraud)
    if in_cache and "was changed" in message:
        # What its SHA256SUMS lists is here already, so nothing is read that could be wrong.
        assert si.Bundle.load(uri).current().digest == fraud.digest
        return
    if in_cache and ("is missing" in message or "extra was" in message):
        message = "are not those that its SHA256SUMS lists"
    with pytest.raises(BundleError, match=message) as caught:
        si.Bundle.load(uri)
    assert str(caught.value).startswith("bundle s3://bucket-")
    assert str(tmp_path) not in str(caught.value)
    assert not caught.value.transient
    assert cache(tmp_path) == ({fraud.digest} if in_cache else set())


@pytest.mark.parametrize("name", [WEIGHTS, "manifest.json", SUMS_FILE])
@pytest.mark.parametrize(
    "swap",
    [
        lambda bucket, key: bucket.put(key, bucket.get(key)[::-1]),
        lambda bucket, key: bucket.put(key, bucket.get(key) + b"1"),
        lambda bucket, key: bucket.put(key, b""),
        lambda bucket, key: bucket.delete(key),
        lambda bucket, key: bucket.put(f"{key}-2", b"1"),
    ],
    ids=["same size", "longer", "emptied", "deleted", "added"],
)
def test_a_folder_that_changes_after_it_was_listed_is_refused(
    fraud: si.Bundle,
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    swap: Callable[[Bucket, str], None],
    name: str,
) -> None:
    uri = upload(bucket, fraud)
    files = Place.files

    def listed(self: Place) -> Any:
        found = files(self)
        monkeypatch.setattr(Place, "files", files)
        swap(bucket, f"bundles/fraud/{name}")
        return found

    monkeypatch.setattr(Place, "files", listed)
    with pytest.raises(BundleError, match=r"bundle s3://"):
        si.Bundle.load(uri)
    # All that is in the cache is what was saved.
    for left in cache(tmp_path):
        assert left == fraud.digest
        assert si.Bundle.load(tmp_path / "cache" / "bundles" / left).digest == fraud.digest


def test_what_is_lost_on_the_way_leaves_nothing_and_passes(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Place.copy
    with ExitStack() as server, monkeypatch.context() as patch:
        uri = upload(new_bucket(server.enter_context(s3_server())), fraud)

        def lost(self: Place, name: str, *rest: Any) -> None:
            if name == WEIGHTS:
                server.close()
            copy(self, name, *rest)

        patch.setattr(Place, "copy", lost)
        with pytest.raises(BundleError, match=r"weights.* out of reach, try again") as caught:
            si.Bundle.load(uri)
    assert caught.value.transient
    assert cache(tmp_path) == set()
    assert si.Bundle.load(upload(bucket, fraud)).digest == fraud.digest


def test_folder_marks_of_the_store_are_no_files(fraud: si.Bundle, bucket: Bucket) -> None:
    uri = upload(bucket, fraud)
    for key in ("bundles/", "bundles/fraud/", "bundles/fraud/vocabularies/", "bundles/fraud/new/"):
        bucket.put(key)
    assert si.Bundle.load(uri).digest == fraud.digest


def test_neighbors_of_the_same_beginning_do_not_count(fraud: si.Bundle, bucket: Bucket) -> None:
    uri = upload(bucket, fraud)
    for key in ("bundles/fraud2/x", "bundles/fraud.pkl", "bundles/fraudx"):
        bucket.put(key, b"1")
    assert si.Bundle.load(uri).digest == fraud.digest


def test_a_file_uri_is_the_local_folder(fraud: si.Bundle) -> None:
    assert si.Bundle.load(f"file://{fraud.path}").path == fraud.path
    with pytest.raises(BundleError, match="no such directory"):
        si.Bundle.load(f"file://{fraud.path}-not")


def test_a_cache_that_cannot_be_made_is_no_fault_of_the_place(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path
) -> None:
    uri = upload(bucket, fraud)
    (tmp_path / "cache").write_text("")
    with pytest.raises(RuntimeUnavailable, match="set SPARK_INFER_CACHE"):
        si.Bundle.load(uri)


def test_a_bundle_with_an_odd_but_allowed_name(
    fraud: si.Bundle, bucket: Bucket, tmp_path: Path
) -> None:
    root = shutil.copytree(fraud.path, tmp_path / "copy")
    (root / "sub folder").mkdir()
    for name in ("a+b %41.txt", "sub folder/é?&=#.txt"):
        (root / name).write_text("x")
    (root / SUMS_FILE).unlink()
    digest = seal(root)
    uri = upload(bucket, si.Bundle.load(root), "odd")
    assert si.Bundle.load(uri).digest == digest
