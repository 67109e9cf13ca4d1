"""The batch sizes that this machine has learned, in a file that its processes share."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spark_infer.bundle.cache.locks import locked
from spark_infer.bundle.cache.notes import read_note, write_note
from spark_infer.model.sizing import Ceiling, LearnedSize

FORMAT_VERSION = 2
"""A file of another version is as good as none."""

MAX_ENTRIES = 200
"""Most models (digest, device and precision) that the file keeps; the oldest goes first."""

_logger = logging.getLogger("spark_infer")

_Sizes = dict[int, LearnedSize]


class LearnedSizes:
    """The file of learned batch sizes, by digest, device, precision and length bucket.

    It is a cache: when it cannot be read or written, a warning is logged and nothing else happens.

    Args:
        path: The file. A lock file stands beside it.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def load(self, digest: str, device: str, precision: str) -> dict[int, LearnedSize]:
        """Return the sizes of one model by length bucket; empty when none are known.

        A ceiling that is a day old no longer counts: other processes took their share of the
        memory when it ran out, and are gone.
        """
        return self._read().get(_key(digest, device, precision), {})

    def save(
        self, digest: str, device: str, precision: str, sizes: Mapping[int, LearnedSize]
    ) -> None:
        """Add sizes of one model to the file.

        Of two sizes of a bucket a settled one is kept, or else the new one, below both ceilings.
        """
        key = _key(digest, device, precision)
        try:
            with self._locked():
                entries = self._read()
                # Out and in again: the entries stand in the order of their age.
                entries[key] = _merged(entries.pop(key, {}), sizes)
                self._write(dict(list(entries.items())[-MAX_ENTRIES:]))
        except OSError as error:
            _logger.warning("learned batch sizes are not kept: %s", error)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._beside(".lock")):
            yield

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _read(self) -> dict[str, _Sizes]:
        try:
            entries = _parse(read_note(self._path))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as e:
            # Any JSON can stand in a damaged file.
            _logger.warning("learned batch sizes in %s are ignored: %r", self._path, e)
            return {}
        now = self._clock()
        return {
            key: {bucket: fresh for bucket, size in sizes.items() if (fresh := size.at(now))}
            for key, sizes in entries.items()
        }

    def _write(self, entries: dict[str, _Sizes]) -> None:
        data = {
            "format_version": FORMAT_VERSION,
            "entries": {
                key: {str(bucket): asdict(size) for bucket, size in sorted(sizes.items())}
                for key, sizes in entries.items()
            },
        }
        # A reader takes no lock. One name will do: whoever writes holds the lock.
        staging = self._beside(".new")
        write_note(staging, json.dumps(data).encode())
        staging.replace(self._path)


def _key(digest: str, device: str, precision: str) -> str:
    return f"{digest} {device} {precision}"


def _merged(old: Mapping[int, LearnedSize], new: Mapping[int, LearnedSize]) -> _Sizes:
    merged = dict(old)
    for bucket, size in new.items():
        known = old.get(bucket, size)
        winner, other = (known, size) if known.settled and not size.settled else (size, known)
        merged[bucket] = winner.under(other.ceiling)
    return merged


def _parse(text: bytes) -> dict[str, _Sizes]:
    data = json.loads(text)
    version = data["format_version"]
    if type(version) is int and version != FORMAT_VERSION:
        return {}
    if version != FORMAT_VERSION:
        raise ValueError(f"format version {version!r}, expected {FORMAT_VERSION}")
    return {
        key: {int(bucket): _size(fields) for bucket, fields in sizes.items()}
        for key, sizes in data["entries"].items()
    }


def _size(fields: dict[str, Any]) -> LearnedSize:
    rates = {int(tokens): rate for tokens, rate in fields["rates"].items()}
    ceiling = None if fields["ceiling"] is None else Ceiling(**fields["ceiling"])
    size = LearnedSize(**{**fields, "rates": rates, "ceiling": ceiling})
    counts = [size.tokens, *rates] + ([] if ceiling is None else [ceiling.tokens])
    if not all(type(count) is int and count > 0 for count in counts):
        raise ValueError(f"{size} counts no tokens")
    numbers = all(isinstance(rate, float | int) and rate > 0 for rate in rates.values())
    numbers = numbers and (ceiling is None or isinstance(ceiling.since, float | int))
    if not (numbers and isinstance(size.settled, bool) and (rates or not size.settled)):
        raise TypeError(f"{size} is of other types")
    return size
