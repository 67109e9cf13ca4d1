"""A bundle behind a URI, fetched into this machine's cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spark_infer.bundle.bundle import Bundle, check_file, check_pin
from spark_infer.bundle.cache.entry import cached
from spark_infer.bundle.cache.files import check_path, new_file
from spark_infer.bundle.cache.tidy import make_room
from spark_infer.bundle.files.digest import MAX_SUMS_BYTES, SUMS_FILE
from spark_infer.bundle.files.folder import MAX_BYTES, MAX_FILES
from spark_infer.bundle.places.place import Place, Seen
from spark_infer.errors import BundleError


def fetch(place: Place, digest: str | None = None) -> Bundle:
    """Return the bundle behind a URI from this machine's cache, fetching it when missing.

    Its SHA256SUMS tells the digest, so a bundle that is in the cache is not fetched again. What is
    fetched is verified before it is used, and the folder must be the same before and after.

    Args:
        place: The bundle's folder.
        digest: The digest that it must have.

    Raises:
        BundleError: There is no bundle, it cannot be read, breaks a rule of ``Bundle.load``, has
            another digest, or changed meanwhile. Transient where the service is out of reach.
        RuntimeUnavailable: The cache cannot be used.
    """
    source = f"bundle {place}"
    # First, as a place that has none may be a whole bucket.
    sums = place.read(SUMS_FILE, MAX_SUMS_BYTES)
    actual = hashlib.sha256(sums).hexdigest()
    check_pin(place, actual, digest)
    files = place.files()
    _check(place, files)

    def write(folder: Path) -> None:
        make_room(folder, sum(file.num_bytes for file in files.values()))
        for name, file in files.items():
            with new_file(folder, name, source=source) as target:
                place.copy(name, file.num_bytes, target)

    bundle = cached(actual, write, source=source)
    sizes = {name: stamp.size for name, stamp in bundle.stamps.items()}
    if place.files() != files or sizes != {name: file.num_bytes for name, file in files.items()}:
        raise BundleError(
            f"{source}: its files are not those that its {SUMS_FILE} lists, or they changed while "
            "they were read; wait until it is complete, or copy or save it again"
        )
    return bundle


def _check(place: Place, files: dict[str, Seen]) -> None:
    """Raise BundleError unless all of it may be fetched: what a local folder is checked for."""
    if len(files) > MAX_FILES:
        raise BundleError(f"bundle {place}: it has more than {MAX_FILES:,} files")
    if sum(file.num_bytes for file in files.values()) > MAX_BYTES:
        raise BundleError(f"bundle {place}: its files have more than {MAX_BYTES:,} bytes")
    for name, file in files.items():
        check_path(name, source=f"bundle {place}")
        check_file(place, name, file.num_bytes)
