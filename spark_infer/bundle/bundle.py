"""The bundle: an immutable directory with a model and all it needs."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from spark_infer.bundle.artifact import BASE, artifact_folder
from spark_infer.bundle.files.digest import SUMS_FILE, check_digest, seal, verify
from spark_infer.bundle.files.examples import Examples
from spark_infer.bundle.files.folder import open_to_others, scan
from spark_infer.bundle.files.stamp import Stamps, check_stamps
from spark_infer.bundle.manifest import MANIFEST_FILE, Manifest, max_bytes
from spark_infer.bundle.places import Place, as_place
from spark_infer.bundle.profile import Profile
from spark_infer.bundle.signature import Signature
from spark_infer.errors import BundleError, is_full

_REFUSED_SUFFIXES = {".pkl", ".pickle", ".pt", ".pt2", ".pth", ".joblib", ".ckpt"}
"""Pickles, and archives that may hold them."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk. Make one with ``save_bundle``, open it with ``Bundle.load``.

    Attributes:
        path: The bundle's directory.
        digest: SHA-256 over all its files, as hexadecimal digits; the bundle's identity.
        manifest: What the bundle says about itself.
        stamps: What the files that were verified looked like to the system.
        profile: Distributions of its columns, where it was saved with some.
    """

    path: Path
    digest: str
    manifest: Manifest
    stamps: Stamps = field(default_factory=dict, compare=False, repr=False)
    profile: Profile | None = field(default=None, compare=False, repr=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | Bundle, digest: str | None = None) -> Bundle:
        """Open the bundle at ``path`` after checking every byte of it. No model is loaded.

        A bundle behind a URI is fetched into this machine's cache, where it is opened. It is not
        fetched again while it is there: its SHA256SUMS says so.

        Args:
            path: The bundle's directory, its URI as pyarrow.fs writes it (``s3://bucket/fraud``,
                options behind ``?``), or an open bundle.
            digest: The digest that the bundle must have, all of its 64 digits.

        Raises:
            BundleError: The path is missing or no bundle, a file is missing, changed, added, a
                pickle or no plain file, the format version is unknown, or the digest is another; or
                a URI is out of reach, which is transient.
            ConfigError: ``digest`` can be no bundle's.
        """
        if digest is not None:
            check_digest(digest)
        if isinstance(path, Bundle):
            check_pin(path.path, path.digest, digest)
            return path
        place = as_place(
            path, name="a bundle", what="bundle", error=BundleError, or_else=" or a Bundle"
        )
        if isinstance(place, Place):
            # Not above: what was fetched is opened as a bundle.
            from spark_infer.bundle.places.fetch import fetch

            return fetch(place, digest)
        root = place
        try:
            found = root.is_dir()
        except OSError as error:
            raise BundleError(f"bundle {root}: it cannot be opened: {error.strerror}") from None
        if not found:
            raise BundleError(f"bundle {root}: no such directory; check the path of the bundle")
        for name, status in scan(root).files.items():
            check_file(root, name, status.st_size)
        verified = verify(root)
        check_pin(root, verified.digest, digest)
        bundle = cls.of_verified(root, verified.digest, verified.stamps)
        bundle.check_unchanged()
        return bundle

    @classmethod
    def of_verified(cls, root: Path, digest: str, stamps: Stamps) -> Bundle:
        """Read what the files under ``root`` say, which were verified before.

        Raises:
            BundleError: They do not say what a bundle says.
        """
        manifest = Manifest.read(root)
        outputs = [output.name for output in manifest.signature.outputs]
        profile = Profile.read(root, manifest.signature.column_names, outputs)
        return cls(root, digest, manifest, stamps, profile)

    def check_unchanged(self) -> None:
        """Raise BundleError unless the files at ``path`` are untouched since they were verified."""
        check_stamps(self.path, self.stamps)

    def current(self) -> Bundle:
        """Return the bundle with fresh stamps if its files still are those with its digest.

        Untouched files are not read again. Whoever reads the files calls this first and
        ``check_unchanged`` of the result afterwards: what was read in between has the digest.

        Raises:
            BundleError: The files changed.
        """
        try:
            self.check_unchanged()
        except BundleError as changed:
            # Other permissions, another link, or a network file system that numbers files anew.
            again = Bundle.load(self.path)
            if again.digest != self.digest:
                raise changed from None
            return again
        return self

    @property
    def name(self) -> str:
        """Human name of the bundle."""
        return self.manifest.name

    @property
    def artifact_path(self) -> Path:
        """The directory of the model's files."""
        return self.path / artifact_folder(BASE)

    @property
    def signature(self) -> Signature:
        """Inputs and outputs."""
        return self.manifest.signature

    @property
    def features(self) -> dict[str, str]:
        """Spark SQL expression of each derived column."""
        return dict(self.manifest.features)

    @property
    def files(self) -> dict[str, int]:
        """Size in bytes of each file, by its path inside the bundle."""
        return {name: stamp.size for name, stamp in self.stamps.items() if name != SUMS_FILE}


def check_file(where: Path | Place, name: str, num_bytes: int) -> None:
    """Raise BundleError if a file is too large to be read, or may be a pickle."""
    limit = max_bytes(name)
    if limit is not None and num_bytes > limit:
        raise BundleError(f"bundle {where}: {name} has more than {limit:,} bytes")
    if PurePath(name).suffix.lower() in _REFUSED_SUFFIXES:
        raise BundleError(
            f"bundle {where}: {name} looks like a pickle or may hold some, and these are never "
            "loaded; save the model with save_bundle"
        )


def check_pin(where: Path | Place, actual: str, wanted: str | None) -> None:
    """Raise BundleError if another digest is wanted than a bundle has."""
    if wanted not in (None, actual):
        raise BundleError(
            f"bundle {where}: its digest is {actual}, and {wanted} is asked for; "
            "give the path of that bundle, or the digest of this one if it is the right one"
        )


def write_bundle(
    path: Path,
    manifest: Manifest,
    write_files: Callable[[Path], None],
    check: Callable[[Bundle], None],
    examples: Examples | None = None,
    profile: Callable[[Bundle], Profile] | None = None,
) -> Bundle:
    """Write a bundle to ``path`` in one step: it is there whole or not at all.

    Args:
        path: Directory to create. An existing bundle there is replaced.
        manifest: What the bundle says about itself.
        write_files: Writes the model's files into the directory that it is given.
        check: Is given the finished bundle before it moves to ``path``; what it raises stops that.
        examples: Rows to try the bundle with, where it is loaded.
        profile: Is given the finished bundle, and returns the profile that it is to have.

    Raises:
        BundleError: ``path`` exists and is not a bundle, or cannot be written.
    """
    try:
        if path.exists() and not _is_replaceable(path):
            raise BundleError(
                f"{path} exists and is not a bundle; choose another path or remove it"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            open_to_others(staging)
            manifest.write(staging)
            artifacts = staging / artifact_folder(BASE)
            artifacts.mkdir(parents=True)
            write_files(artifacts)
            if examples is not None:
                examples.write(staging)
            seal(staging)
            bundle = Bundle.load(staging)
            check(bundle)
            if profile is not None:
                profile(bundle).write(staging)
                seal(staging)
                bundle = Bundle.load(staging)
            replace_directory(staging, path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise BundleError(
            f"bundle {path} cannot be written: {error.strerror or error}; "
            f"{'make room, or ' if is_full(error) else ''}choose another path",
            transient=is_full(error),
        ) from error
    return dataclasses.replace(bundle, path=path).current()


def _is_replaceable(path: Path) -> bool:
    if not path.is_dir():
        return False
    is_bundle = (path / SUMS_FILE).is_file() and (path / MANIFEST_FILE).is_file()
    return is_bundle or not any(path.iterdir())


def replace_directory(source: Path, target: Path) -> None:
    """Move ``source`` to ``target``; what stood there is gone only after the move worked."""
    previous = None
    if target.exists():
        previous = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        target.rename(previous / target.name)
    try:
        source.rename(target)
    except OSError:
        if previous is not None:
            (previous / target.name).rename(target)
            previous.rmdir()
        raise
    if previous is not None:
        shutil.rmtree(previous, ignore_errors=True)
