"""Strings to numbers of buckets, by MurmurHash3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmh3
import pyarrow as pa
import pyarrow.compute as pc

from spark_infer.bundle import HashBuckets, Input
from spark_infer.tensors import Transformed, Transformer, arrow_dtype

_MAX_TRIES = 2**18
"""Strings that are hashed to find some for wanted buckets."""


def transformer(transform: HashBuckets, item: Input) -> Transformer:
    """Return what hashes the values of an input. Each distinct one is hashed once."""
    kind = arrow_dtype(item.dtype)

    def run(values: pa.Array) -> Transformed:
        # As bytes, for nothing has looked whether they are UTF-8.
        coded = pc.dictionary_encode(values.cast(pa.large_string()).cast(pa.large_binary()))
        words = coded.dictionary.to_pylist()
        buckets = pa.array([bucket(word, transform) for word in words], kind)
        return Transformed(buckets.take(coded.indices))

    return run


def bucket(word: bytes, transform: HashBuckets) -> int:
    """Return the bucket of one string in UTF-8, or of any other bytes."""
    hashed: int = mmh3.hash(word, transform.seed, signed=False)
    return hashed % transform.num_buckets


def examples(transform: HashBuckets, item: Input, numbers: Sequence[Any]) -> pa.Array:
    """Return strings whose buckets include the first and the last, if some are found."""
    tries = min(16 * transform.num_buckets + len(numbers), _MAX_TRIES)
    words = [f"word {number}" for number in range(tries)]
    by_bucket = sorted(words, key=lambda word: bucket(word.encode(), transform))
    picked = [by_bucket[-1], by_bucket[0], "", *words]
    return pa.array([picked[at % len(picked)] for at in range(len(numbers))], pa.string())
