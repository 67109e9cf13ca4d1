"""The same values in any Arrow layout: offsets, slices, garbage under nulls, dictionaries."""

from __future__ import annotations

import decimal
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
STRINGS = ("string", "large_string")
TYPES = {
    "null": pa.null(),
    "bool": pa.bool_(),
    **{name: getattr(pa, name)() for name in (*INTEGERS, *FLOATS, *STRINGS)},
    "decimal": pa.decimal128(10, 2),
    "date": pa.date32(),
    "seconds": pa.timestamp("s"),
    "millis": pa.timestamp("ms", "UTC"),
    "micros": pa.timestamp("us", "Europe/Paris"),
    "nanos": pa.timestamp("ns"),
}
"""Arrow type of each kind of leaf. Dates and timestamps are built from counts of their unit."""


@dataclass(frozen=True)
class Leaf:
    """A flat column of a kind in ``TYPES``."""

    kind: str
    dictionary: bool = False


@dataclass(frozen=True)
class ListOf:
    """A list column; ``size`` makes it a fixed-size list."""

    item: Layout
    large: bool = False
    size: int | None = None


@dataclass(frozen=True)
class StructOf:
    """A struct column; values are dicts."""

    fields: tuple[tuple[str, Layout], ...]


Layout = Leaf | ListOf | StructOf


def build(values: Sequence[Any], layout: Layout, rnd: random.Random) -> pa.Array:
    """Return an array of the values: a slice of a longer one, with garbage under the nulls."""
    before = [_junk(layout, rnd) for _ in range(rnd.randint(0, 2))]
    after = [_junk(layout, rnd) for _ in range(rnd.randint(0, 2))]
    whole = _build([*before, *values, *after], layout, rnd)
    return whole.slice(len(before), len(values))


def build_chunks(values: Sequence[Any], layout: Layout, rnd: random.Random) -> pa.ChunkedArray:
    """Return the values as a chunked array, cut anywhere, with empty chunks."""
    cuts = sorted(rnd.randint(0, len(values)) for _ in range(rnd.randint(0, 3)))
    edges = [0, *cuts, len(values)]
    chunks = [build(values[i:j], layout, rnd) for i, j in itertools.pairwise(edges)]
    return pa.chunked_array(chunks)


def _build(values: list[Any], layout: Layout, rnd: random.Random) -> pa.Array:
    if isinstance(layout, Leaf):
        return _leaf(values, layout, rnd)
    if isinstance(layout, StructOf):
        return _struct(values, layout, rnd)
    return _fixed(values, layout, rnd) if layout.size is not None else _list(values, layout, rnd)


def _leaf(values: list[Any], layout: Leaf, rnd: random.Random) -> pa.Array:
    kind = TYPES[layout.kind]
    if layout.kind == "null":
        return pa.nulls(len(values))
    filled = [_junk_value(layout.kind, rnd) if value is None else value for value in values]
    array = pa.array(filled, kind)
    if None in values:
        validity = pa.array([value is not None for value in values]).buffers()[1]
        buffers = [validity, *array.buffers()[1:]]
        array = pa.Array.from_buffers(kind, len(values), buffers)
    return array.dictionary_encode() if layout.dictionary else array


def _struct(values: list[Any], layout: StructOf, rnd: random.Random) -> pa.Array:
    children = [
        build([_junk(child, rnd) if v is None else v[name] for v in values], child, rnd)
        for name, child in layout.fields
    ]
    names = [name for name, _ in layout.fields]
    return pa.StructArray.from_arrays(children, names, mask=_mask(values))


def _list(values: list[Any], layout: ListOf, rnd: random.Random) -> pa.Array:
    flat = [_junk(layout.item, rnd) for _ in range(rnd.randint(0, 2))]
    offsets = [len(flat)]
    for value in values:
        garbage = value is None
        flat += [_junk(layout.item, rnd) for _ in range(rnd.randint(0, 2))] if garbage else value
        offsets.append(len(flat))
    child = build(flat, layout.item, rnd)
    if layout.large:
        positions = pa.array(offsets, pa.int64())
        return pa.LargeListArray.from_arrays(positions, child, mask=_mask(values))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), child, mask=_mask(values))


def _fixed(values: list[Any], layout: ListOf, rnd: random.Random) -> pa.Array:
    assert layout.size is not None
    flat: list[Any] = []
    for value in values:
        garbage = value is None
        flat += [_junk(layout.item, rnd) for _ in range(layout.size)] if garbage else value
    child = build(flat, layout.item, rnd)
    return pa.FixedSizeListArray.from_arrays(child, layout.size, mask=_mask(values))


def _mask(values: list[Any]) -> pa.Array | None:
    return pa.array([value is None for value in values], pa.bool_()) if None in values else None


def _junk(layout: Layout, rnd: random.Random) -> Any:
    """Return a value that no reader should ever see."""
    if isinstance(layout, Leaf):
        return None if rnd.random() < 0.3 else _junk_value(layout.kind, rnd)
    if rnd.random() < 0.3:
        return None
    if isinstance(layout, StructOf):
        return {name: _junk(child, rnd) for name, child in layout.fields}
    size = rnd.randint(0, 3) if layout.size is None else layout.size
    return [_junk(layout.item, rnd) for _ in range(size)]


def _junk_value(kind: str, rnd: random.Random) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return rnd.random() < 0.5
    if kind in STRINGS:
        return rnd.choice(["", "junk", "a"])
    if kind == "decimal":
        return decimal.Decimal(rnd.randint(-999, 999))
    return rnd.randint(100, 120)
