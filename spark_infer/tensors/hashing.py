"""Rows to 128-bit hashes of what the model would get for them.

Each row is a sequence of 64-bit words. A word is mixed with a key of its position, and the row's
hash is two sums of the mixed words, each times another key of the position, modulo 2^64: the
multilinear family of Carter and Wegman. The mixing carries high bits to low places, where the
sums would not tell them apart (flipped signs). The multipliers are odd, so that rows that differ
in one word never hash alike; other rows do with a chance near 2^-120, whatever they hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from math import gcd, prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spark_infer.bundle import Input
from spark_infer.tensors.arrow.leaves import Array
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.decode import Decoded
from spark_infer.tensors.inputs.dense import Dense
from spark_infer.tensors.inputs.ragged import Ragged
from spark_infer.tensors.inputs.transformed import Deferred
from spark_infer.tensors.rows import BoolArray, Rows

Words = npt.NDArray[np.uint64]

_SEED = int.from_bytes(os.urandom(16), "little")
_MULTIPLIERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))
"""Those of splitmix64: the golden ratio, and its first finalizer."""
_BLOCK_WORDS = 16384
"""Words at once: with its temporary copies, a block stays in a core's second-level cache."""


def row_hashes(decoded: Decoded, rows: Rows) -> Words:
    """Return 128 bits for each row, shape (rows, 2): equal when the model's inputs are equal.

    Compared are the bytes of a row's real values and, where the input asks for them, of its
    presence, in every input: not where the row stands, not what lies between rows, not padding.
    0.0 and -0.0 are different bytes and hash apart.

    The keys are drawn once for each process, so hashes mean nothing outside of it. Processes
    forked after this module was imported share them.
    """
    hashes = np.zeros((len(rows), 2), np.uint64)
    for number, item in enumerate(decoded.signature.inputs):
        data = decoded.inputs[item.name]
        if isinstance(data, Deferred):
            _add_deferred(hashes, data, rows, number)
        elif isinstance(data, Ragged):
            _add_ragged(hashes, data, item, rows, number)
        else:
            assert isinstance(data, Dense)
            _add_dense(hashes, data, item, rows, number)
    return hashes


def _add_deferred(hashes: Words, data: Deferred, rows: Rows, number: int) -> None:
    """Add a hash of each value as it came: equal values become equal tensors."""
    key = _SEED.to_bytes(16, "little")
    for row, value in enumerate(data.values(rows)):
        # A null of a column of nothing but nulls has no bytes.
        content = value.as_buffer() if value.is_valid else None
        person = bytes([content is None]) + number.to_bytes(4, "little")
        digest = blake2b(content or b"", digest_size=16, key=key, person=person).digest()
        hashes[row] += np.frombuffer(digest, np.uint64)


class _Keys(NamedTuple):
    """Random words of the positions of a row: seeds (count,), odd multipliers (2, count)."""

    seeds: Words
    multipliers: Words


def _keys(number: int, count: int) -> _Keys:
    """Return the keys of an input's first ``count`` words, the same at every call."""
    keys = _drawn(number, 1 << (count - 1).bit_length())
    return _Keys(keys.seeds[:count], keys.multipliers[:, :count])


@cache
def _drawn(number: int, count: int) -> _Keys:
    random = np.random.default_rng(np.random.SeedSequence(_SEED, spawn_key=(number,)))
    # Word after word, so that a longer draw begins with the shorter one.
    words = random.integers(2**64 - 1, size=(count, 3), dtype=np.uint64, endpoint=True)
    seeds, *multipliers = np.ascontiguousarray(words.T)
    return _Keys(seeds, np.stack(multipliers) | np.uint64(1))


def _add_dense(hashes: Words, data: Dense, item: Input, rows: Rows, number: int) -> None:
    num_words = _num_words(data.values, item)
    keys = _keys(number, num_words)
    size = max(1, _BLOCK_WORDS // num_words)
    for start in range(0, len(hashes), size):
        stop = min(start + size, len(hashes))
        block = rows.part(start, stop)
        mixed = _mix(_words(data.values, data.present, item, block) ^ keys.seeds)
        hashes[start:stop] += mixed @ keys.multipliers.T


def _add_ragged(hashes: Words, data: Ragged, item: Input, rows: Rows, number: int) -> None:
    # A row's length has no word of its own: a longer row has more terms in its sums.
    num_words = _num_words(data.values, item)
    starts, lengths = rows.take(data.starts), rows.take(data.lengths)
    keys = _keys(number, max(1, int(lengths.max(initial=0)) * num_words))
    for first, last in _blocks(lengths * num_words):
        block = slice(first, last)
        words = _words(data.values, data.present, item, _positions(starts[block], lengths[block]))
        within, offsets = _within(lengths[block] * num_words)
        mixed = _mix(words.reshape(-1) ^ keys.seeds[within])
        # Where a row is empty, reduceat would return a word of the next one.
        filled = np.flatnonzero(lengths[block])
        for lane, multipliers in enumerate(keys.multipliers):
            sums = np.add.reduceat(mixed * multipliers[within], offsets[filled])
            hashes[first + filled, lane] += sums


def _blocks(num_words: Lengths) -> Iterator[tuple[int, int]]:
    """Cut rows of different lengths into runs of about one block; a longer row stands alone."""
    ends = np.cumsum(num_words)
    total = int(ends[-1]) if len(ends) else 0
    if total == 0:
        return
    edges = np.searchsorted(ends, np.arange(_BLOCK_WORDS, total, _BLOCK_WORDS))
    for first, last in pairwise(np.unique([0, *edges, len(num_words)]).tolist()):
        if ends[last - 1] > ends[first] - num_words[first]:
            yield first, last


def _positions(starts: Lengths, lengths: Lengths) -> Rows:
    """Return where the rows' values lie, end to end: a run when they adjoin."""
    ends = starts + lengths
    if np.array_equal(ends[:-1], starts[1:]):
        return Rows.run(int(starts[0]), int(ends[-1]))
    within, _ = _within(lengths)
    return Rows(within + np.repeat(starts, lengths))


def _within(lengths: Lengths) -> tuple[npt.NDArray[np.intp], Lengths]:
    """Return the position of each value in its row, and where the rows begin, laid end to end."""
    offsets = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) - np.repeat(offsets, lengths), offsets


def _num_words(values: Array, item: Input) -> int:
    size = prod(values.shape[1:])
    return -(-size * (values.itemsize + item.presence) // 8)


def _words(values: Array, present: BoolArray | None, item: Input, rows: Rows) -> Words:
    """Return each row's (or position's) bytes as words, shape (rows, words), 0 in the rest."""
    values = rows.take(values)
    parts = [_flat(values)]
    if item.presence:
        parts.append(
            _flat(np.ones(values.shape, np.bool_) if present is None else rows.take(present))
        )
    elif parts[0].shape[1] % 8 == 0:
        return parts[0].view(np.uint64)
    words = np.zeros((len(values), _num_words(values, item)), np.uint64)
    end = 0
    for part in parts:
        begin, end = end, end + part.shape[1]
        # In the widest units that fit: bytes one by one are slow.
        unit = f"u{gcd(begin, end, 8)}"
        size = np.dtype(unit).itemsize
        words.view(unit)[:, begin // size : end // size] = part.view(unit)
    return words


def _flat(values: Array) -> npt.NDArray[np.uint8]:
    flat = np.ascontiguousarray(values).reshape(len(values), prod(values.shape[1:]))
    return flat.view(np.uint8)


def _mix(words: Words) -> Words:
    """Mix each word in place, one to one."""
    # With one round only, flipped signs of both floats of a word cancel in the low half.
    for multiplier in _MULTIPLIERS:
        words *= multiplier
        words ^= words >> 32
    return words
