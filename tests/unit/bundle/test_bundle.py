from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle import Bundle, Manifest, Output, ScalarInput, Signature
from spark_infer.bundle import bundle as bundle_module
from spark_infer.bundle.bundle import write_bundle
from spark_infer.bundle.files.digest import SUMS_FILE, seal
from spark_infer.errors import BundleError, ConfigError
from tests.unit.support.artifacts import EXPORTED

MODEL = "artifacts/base/model.bin"
SIGNATURE = Signature(inputs=[ScalarInput("x", columns=["a"])], outputs=[Output("y")])


def accept(bundle: Bundle) -> None:
    """Find nothing wrong with a bundle."""


def write(path: Path, content: str = "weights", check=accept) -> Bundle:
    def write_files(root: Path) -> None:
        (root / "model.bin").write_text(content)

    manifest = Manifest(name="m", artifacts=EXPORTED, signature=SIGNATURE)
    return write_bundle(path, manifest, write_files, check)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write(tmp_path / "bundles" / "m")


def names(path: Path) -> set[str]:
    return {child.name for child in path.iterdir()}


def test_what_is_written_is_loaded(bundle: Bundle) -> None:
    assert bundle.path.name == "m"
    assert Bundle.load(str(bundle.path)) == bundle
    assert Bundle.load(bundle) is bundle
    assert bundle.signature == SIGNATURE
    assert bundle.name == "m"
    assert bundle.features == {}
    assert set(bundle.files) == {"manifest.json", MODEL}
    assert bundle.files[MODEL] == len("weights")
    assert names(bundle.path.parent) == {"m"}


def put_back(path: Path) -> None:
    """Write other bytes of the same number, and give the file its date again."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(path: Path) -> None:
    path.with_name("other").write_bytes(path.read_bytes()[::-1])
    path.with_name("other").replace(path)


def link_away(path: Path) -> None:
    path.rename(path.parent.with_name("elsewhere"))
    path.symlink_to(path.parent.with_name("elsewhere"))


def root_of(path: Path) -> Path:
    return next(parent for parent in path.parents if (parent / SUMS_FILE).exists())


@pytest.mark.parametrize("name", [MODEL, "manifest.json", SUMS_FILE])
@pytest.mark.parametrize(
    "change",
    [
        put_back,
        swap,
        link_away,
        lambda path: write(root_of(path), "another"),
        lambda path: path.unlink(),
        lambda path: shutil.rmtree(path.parent),
        lambda path: path.with_name("added").touch(),
    ],
    ids=["dates put back", "swapped", "a link", "saved again", "removed", "all removed", "added"],
)
def test_a_bundle_that_changed_after_it_was_opened_is_refused(
    bundle: Bundle, change: Callable[[Path], object], name: str
) -> None:
    bundle.check_unchanged()
    assert bundle.current() is bundle
    change(bundle.path / name)
    for check in (bundle.check_unchanged, bundle.current):
        with pytest.raises(BundleError, match=f"bundle {bundle.path}: "):
            check()


def test_another_bundle_in_its_place_is_named_as_such(bundle: Bundle) -> None:
    write(bundle.path, "another")
    with pytest.raises(BundleError, match=r"changed after it was opened; open it again with Bund"):
        bundle.current()


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: (path / MODEL).chmod(0o600),
        lambda path: os.utime(path / MODEL, (0, 0)),
        lambda path: os.link(path / MODEL, path.parent / "backup"),
        lambda path: shutil.copytree(path.rename(path.parent / "away"), path),
        lambda path: write(path),
    ],
    ids=["permissions", "date", "hard link", "copied", "saved again"],
)
def test_the_same_bytes_are_read_again_and_are_the_same_bundle(
    bundle: Bundle, touch: Callable[[Path], object]
) -> None:
    touch(bundle.path)
    with pytest.raises(BundleError, match="changed after it was opened; open it again"):
        bundle.check_unchanged()
    current = bundle.current()
    assert current == bundle
    current.check_unchanged()


def test_a_change_while_the_bundle_is_opened_is_found(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Manifest.read

    def change_and_read(root: Path) -> Manifest:
        swap(root / MODEL)
        return read(root)

    monkeypatch.setattr(Manifest, "read", change_and_read)
    with pytest.raises(BundleError, match=r"model\.bin changed after it was opened"):
        Bundle.load(bundle.path)


def test_a_move_that_shows_on_the_files_is_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path) -> None:
        shutil.copytree(source, target)  # as a network file system may do it
        shutil.rmtree(source)

    monkeypatch.setattr(bundle_module, "replace_directory", copy)
    write(tmp_path / "m").check_unchanged()


def test_a_bundle_that_nobody_verified_is_no_unchanged_one(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="open it again with Bundle"):
        Bundle(bundle.path, bundle.digest, bundle.manifest).check_unchanged()


def test_the_digest_depends_on_the_files_alone(bundle: Bundle, tmp_path: Path) -> None:
    assert write(tmp_path / "elsewhere").digest == bundle.digest
    assert write(tmp_path / "other", "other weights").digest != bundle.digest


@pytest.mark.parametrize("name", ["nowhere", f"m/{MODEL}"])
def test_no_bundle_at_the_path(bundle: Bundle, name: str) -> None:
    with pytest.raises(BundleError, match=f"bundle .*{name}: no such directory"):
        Bundle.load(bundle.path.parent / name)


def test_a_directory_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="SHA256SUMS cannot be read"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize(
    "name", ["model.pkl", "model.PT", "deep/model.pth", "m.joblib", "m.ckpt", "model.pt2"]
)
def test_a_pickle_is_refused_even_when_it_is_sealed(bundle: Bundle, name: str) -> None:
    (bundle.path / name).parent.mkdir(exist_ok=True)
    (bundle.path / name).write_bytes(b"\x80\x04.")
    seal(bundle.path)
    with pytest.raises(BundleError, match=f"{name} looks like a pickle or may hold"):
        Bundle.load(bundle.path)


def test_a_newer_format_is_refused(bundle: Bundle) -> None:
    manifest = bundle.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format_version": 3', '"format_version": 4'))
    seal(bundle.path)
    with pytest.raises(BundleError, match="format version 4 is not known to this spark_infer"):
        Bundle.load(bundle.path)


@pytest.mark.parametrize("name", ["manifest.json", "vocabularies/x.json"])
def test_what_would_fill_the_memory_is_refused_before_it_is_read(bundle: Bundle, name: str) -> None:
    (bundle.path / name).parent.mkdir(exist_ok=True)
    with (bundle.path / name).open("ab") as file:
        file.truncate(2**39)
    with pytest.raises(BundleError, match=f"{name} has more than .* bytes"):
        Bundle.load(bundle.path)


def test_a_changed_file_is_refused(bundle: Bundle) -> None:
    (bundle.path / MODEL).write_text("Weights")
    with pytest.raises(BundleError, match=r"file artifacts/base/model\.bin was changed"):
        Bundle.load(bundle.path)


def test_an_existing_bundle_is_replaced(bundle: Bundle) -> None:
    (bundle.path / MODEL).write_text("damaged")
    replaced = write(bundle.path, "new")
    assert Bundle.load(bundle.path).digest == replaced.digest != bundle.digest
    assert (bundle.path / MODEL).read_text() == "new"
    assert names(bundle.path.parent) == {"m"}


def test_an_empty_directory_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty").path == tmp_path / "empty"


@pytest.mark.parametrize("present", ["notes.txt", SUMS_FILE, "manifest.json"])
def test_a_directory_that_is_no_bundle_is_kept(tmp_path: Path, present: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / present).write_text("mine")
    with pytest.raises(BundleError, match="d exists and is not a bundle; choose another path"):
        write(tmp_path / "d")
    assert (tmp_path / "d" / present).read_text() == "mine"
    assert names(tmp_path) == {"d"}


def test_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine")
    with pytest.raises(BundleError, match="f exists and is not a bundle"):
        write(tmp_path / "f")
    assert (tmp_path / "f").read_text() == "mine"


def test_a_refused_bundle_leaves_the_old_one_alone(bundle: Bundle) -> None:
    seen = []

    def refuse(new: Bundle) -> None:
        seen.append((new.path / MODEL).read_text())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(bundle.path, "new", refuse)
    assert seen == ["new"]
    assert Bundle.load(bundle.path) == bundle
    assert names(bundle.path.parent) == {"m"}


def test_a_refused_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    def write_files(root: Path) -> None:
        (root / "half").write_text("")
        raise OSError(errno.ENOSPC, "No space left on device")

    manifest = Manifest(name="m", artifacts=EXPORTED, signature=SIGNATURE)
    with pytest.raises(BundleError, match=r"No space left.*; make room, or choose another"):
        write_bundle(tmp_path / "m", manifest, write_files, accept)
    assert names(tmp_path) == set()


def test_the_old_bundle_returns_when_the_new_one_cannot_move(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fail_for_staging(self: Path, target: Path) -> Path:
        if target == bundle.path and "-old-" not in str(self):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(bundle_module.Path, "rename", fail_for_staging)
    with pytest.raises(BundleError, match="Input/output error; choose another path"):
        write(bundle.path, "new")
    assert Bundle.load(bundle.path) == bundle
    assert names(bundle.path.parent) == {"m"}


def test_a_bundle_can_be_read_by_others(bundle: Bundle) -> None:
    assert bundle.path.stat().st_mode & 0o555 == 0o555


def test_a_pinned_bundle_is_loaded(bundle: Bundle) -> None:
    assert Bundle.load(bundle.path, digest=bundle.digest) == bundle
    assert Bundle.load(bundle, digest=bundle.digest) is bundle


@pytest.mark.parametrize("as_path", [True, False])
def test_another_digest_than_the_pinned_is_refused(bundle: Bundle, as_path: bool) -> None:
    other = "0" * 64
    with pytest.raises(
        BundleError, match=f"its digest is {bundle.digest}, and {other} is asked for"
    ):
        Bundle.load(bundle.path if as_path else bundle, digest=other)


@pytest.mark.parametrize(
    "shape",
    [
        lambda digest: digest[:12],
        lambda digest: digest.upper(),
        lambda digest: f"sha256:{digest}",
        lambda digest: f"{digest}\n",
        lambda digest: "",
        lambda digest: 5,
        lambda digest: digest.encode(),
    ],
)
def test_a_part_of_a_digest_pins_nothing(bundle: Bundle, shape: Any) -> None:
    for path in (bundle, bundle.path):
        with pytest.raises(ConfigError, match="digest must be the 64 lowercase hexadecimal digits"):
            Bundle.load(path, digest=shape(bundle.digest))


def test_a_changed_bundle_is_refused_although_its_old_digest_is_pinned(bundle: Bundle) -> None:
    (bundle.path / MODEL).write_text("other")
    with pytest.raises(BundleError, match=r"model\.bin was changed"):
        Bundle.load(bundle.path, digest=bundle.digest)
    seal(bundle.path)
    with pytest.raises(BundleError, match="is asked for"):
        Bundle.load(bundle.path, digest=bundle.digest)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "file/b", "file/b/c", "\udcff" * 300])
def test_a_path_at_which_nothing_can_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"bundle .* cannot be written: .*choose"):
        write(tmp_path / name)


def test_a_parent_that_cannot_be_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(self: Path, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", closed)
        with pytest.raises(BundleError, match="cannot be written: Permission denied") as caught:
            write(tmp_path / "b")
    assert not caught.value.transient


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b"])
def test_a_path_that_no_system_takes(path: str) -> None:
    with pytest.raises(BundleError, match=r"no such directory|cannot be opened|must be a path"):
        Bundle.load(path)
