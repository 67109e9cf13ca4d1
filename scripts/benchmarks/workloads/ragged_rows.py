"""Rows of different lengths: generated ones, and texts from a folder that is not ours."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness.machine import cache_directory

LONGEST = 256


def log_normal_lengths(num_rows: int, random: np.random.Generator) -> np.ndarray:
    """Return lengths of short messages: median 20, mean 27, longest 256."""
    lengths = random.lognormal(np.log(20), 0.775, num_rows).round()
    return np.clip(lengths, 1, LONGEST).astype(np.int32)


def random_lists(lengths: np.ndarray, num_ids: int, random: np.random.Generator) -> pa.ListArray:
    """Return lists of random ids below ``num_ids`` with the given lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(random.integers(num_ids, size=offsets[-1])))


def sentences(folder: Path, num_rows: int, num_ids: int) -> pa.ListArray:
    """Return the tokens of film-review sentences from ``sentence_polarity.zip``."""
    with zipfile.ZipFile(folder / "sentence_polarity.zip") as archive:
        files = [archive.read(f"sentence_polarity/rt-polarity.{end}") for end in ("neg", "pos")]
    return _tokens(b"".join(files).decode("latin-1").splitlines(), num_rows, num_ids)


def reviews(folder: Path, num_rows: int, num_ids: int) -> pa.ListArray:
    """Return the first tokens of whole film reviews from ``movie_reviews.zip``."""
    with zipfile.ZipFile(folder / "movie_reviews.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".txt"))
        texts = [archive.read(name).decode("latin-1") for name in names]
    return _tokens(texts, num_rows, num_ids)


def save_rows(name: str, tokens: pa.ListArray, num_files: int) -> Path:
    """Write rows (id, tokens) as a directory of Parquet files in the cache."""
    table = pa.table({"id": np.arange(len(tokens)), "tokens": tokens})
    path = cache_directory() / name
    path.mkdir(exist_ok=True)
    bounds = np.linspace(0, len(tokens), num_files + 1).astype(int)
    for file in range(num_files):
        part = table.slice(bounds[file], bounds[file + 1] - bounds[file])
        pq.write_table(part, path / f"part-{file}.parquet")
    return path


def _tokens(texts: list[str], num_rows: int, num_ids: int) -> pa.ListArray:
    """Return up to ``num_rows`` texts in random order, a word's id being its hash."""
    order = np.random.default_rng(0).permutation(len(texts))[:num_rows]
    lowered = pc.utf8_lower(pa.array([texts[row] for row in order]))
    words = pc.list_slice(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lowered)), 0, LONGEST)
    distinct = words.values.dictionary_encode()
    hashes = [zlib.crc32(word.encode()) % num_ids for word in distinct.dictionary.to_pylist()]
    return pa.ListArray.from_arrays(
        words.offsets, pa.array(hashes, pa.int64()).take(distinct.indices)
    )
