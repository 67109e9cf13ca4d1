"""A bundle saved behind a URI."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from spark_infer.bundle.bundle import Bundle, write_bundle
from spark_infer.bundle.files.digest import SUMS_FILE
from spark_infer.bundle.files.examples import Examples
from spark_infer.bundle.files.folder import open_file
from spark_infer.bundle.manifest import Manifest
from spark_infer.bundle.places.fetch import fetch
from spark_infer.bundle.places.place import Place
from spark_infer.bundle.profile import Profile
from spark_infer.errors import BundleError, is_full


def upload_bundle(
    place: Place,
    manifest: Manifest,
    write_files: Callable[[Path], None],
    check: Callable[[Bundle], None],
    examples: Examples | None = None,
    profile: Callable[[Bundle], Profile] | None = None,
) -> Bundle:
    """Write a bundle in a temporary folder, upload it, and fetch it again: that is the proof.

    SHA256SUMS goes last, so an upload that ended early is no bundle. It stays where it is.

    Args:
        place: Where nothing is yet.
        manifest: See ``write_bundle``.
        write_files: See ``write_bundle``.
        check: Is given the finished bundle before it is uploaded; what it raises stops that.
        examples: See ``write_bundle``.
        profile: See ``write_bundle``.

    Raises:
        BundleError: Something is at ``place``, it cannot be written, or what was read back is
            another bundle.
    """
    place.check_empty()
    try:
        with tempfile.TemporaryDirectory(prefix="spark_infer-") as folder:
            path = Path(folder) / "bundle"
            bundle = write_bundle(path, manifest, write_files, check, examples, profile)
            for name in (*bundle.files, SUMS_FILE):
                with open_file(bundle.path, name) as file:
                    place.write(name, file)
    except OSError as error:
        raise BundleError(
            f"bundle {place} cannot be made in {tempfile.gettempdir()}: {error.strerror or error}; "
            "set TMPDIR to another directory, or make room",
            transient=is_full(error),
        ) from None
    return fetch(place, bundle.digest)
