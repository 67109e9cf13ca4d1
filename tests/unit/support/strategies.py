"""Signature inputs of every sort, with rows and Arrow layouts that fit them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from spark_infer.bundle import ArrayInput, Column, Input, RaggedInput, ScalarInput
from spark_infer.bundle.columns import DTYPES
from tests.unit.support.layouts import (
    FLOATS,
    INTEGERS,
    STRINGS,
    Layout,
    Leaf,
    ListOf,
    StructOf,
    build,
    build_chunks,
)

SAFE = 2**53
"""Largest integers that a double holds exactly."""

_TIMES = ("seconds", "millis", "micros", "nanos")
_WIDTHS = {"float16": 16, "float32": 32, "float64": 64}
_FITTING = {
    "bool": ("bool",),
    "uint8": ("bool", "uint8"),
    "int8": ("bool", "int8"),
    "int16": ("bool", "int8", "int16", "uint8"),
    "int32": ("bool", "int8", "int16", "int32", "uint8", "uint16", "date"),
    "int64": ("bool", *INTEGERS[:-1], "date", *_TIMES),
    **dict.fromkeys(FLOATS, ("bool", *INTEGERS, *FLOATS, "decimal", "date", *_TIMES)),
}
"""Kinds of leaves that each tensor type accepts."""


@dataclass
class Case:
    """An input with its columns: the values, what their leaves are, how Arrow stores them."""

    item: Input
    columns: dict[str, list[Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)

    def record_batch(self, rnd: Any) -> pa.RecordBatch:
        """Build the columns as a record batch."""
        arrays = {n: build(v, self.layouts[n], rnd) for n, v in self.columns.items()}
        return pa.RecordBatch.from_pydict(arrays)

    def table(self, rnd: Any) -> pa.Table:
        """Build the columns as a table of several chunks."""
        return pa.table({n: build_chunks(v, self.layouts[n], rnd) for n, v in self.columns.items()})


def leaf_values(kind: str) -> st.SearchStrategy[Any]:
    """Draw values of a kind of leaf."""
    if kind == "null":
        return st.none()
    if kind == "bool":
        return st.booleans()
    if kind in INTEGERS:
        bits = int(kind.lstrip("uint"))
        low, high = (
            (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        return st.integers(max(low, -SAFE), min(high, SAFE))
    if kind in FLOATS:
        return st.floats(width=_WIDTHS[kind])
    if kind in STRINGS:
        return st.sampled_from(["", "a", "b", "grocery", "naïve 🙂"])
    if kind == "decimal":
        return st.integers(-4000, 4000).map(lambda quarters: Decimal(quarters) / 4)
    return st.integers(-(10**5), 10**5) if kind == "date" else st.integers(-SAFE, SAFE)


@st.composite
def scalar_cases(draw: st.DrawFn, *, kind: str | None = None, plain: bool = False) -> Case:
    """Draw a scalar input of one to three columns.

    ``kind`` fixes the kind of all columns; ``plain`` leaves vocabularies out.
    """
    options, allowed = draw(_element_options(vocabulary=not plain))
    if kind is not None:
        allowed = (kind,)
        options["dtype"] = draw(st.sampled_from([t for t in DTYPES if kind in _FITTING[t]]))
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    rules = {name: draw(_null_rules(options["dtype"])) for name in names}
    item = ScalarInput("x", columns=[Column(n, nulls=rules[n]) for n in names], **options)
    case = Case(item)
    num_rows = draw(st.integers(0, 6))
    for name in names:
        case.kinds[name] = draw(st.sampled_from(allowed))
        case.layouts[name] = draw(_leaf_layouts(case.kinds[name]))
        cells = draw(_cells(case.layouts[name]))
        case.columns[name] = draw(st.lists(cells, min_size=num_rows, max_size=num_rows))
    return case


@st.composite
def array_cases(draw: st.DrawFn) -> Case:
    """Draw a fixed-size array input of one or two levels."""
    options, allowed = draw(_element_options())
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    nulls = {name: draw(_null_rules(options["dtype"])) for name in ("nulls", "null_items")}
    item = ArrayInput("x", column="a", shape=shape, **nulls, **options)
    kind = draw(st.sampled_from(allowed))
    leaf = draw(_leaf_layouts(kind))
    cells = draw(_cells(leaf))
    is_fixed = draw(st.booleans())
    rows = draw(_nullable(_nested(shape, cells) if is_fixed else _nearly_nested(shape, cells)))
    values = draw(st.lists(rows, max_size=6))
    layout = draw(_list_layouts(leaf, shape, is_fixed=is_fixed))
    return Case(item, {"a": values}, {"a": kind}, {"a": layout})


@st.composite
def ragged_cases(draw: st.DrawFn) -> Case:
    """Draw a ragged input of numbers, of fixed inner arrays, or of structs."""
    options, allowed = draw(_element_options())
    kind = draw(st.sampled_from(allowed))
    leaf = draw(_leaf_layouts(kind))
    cells = draw(_cells(leaf))
    shape = draw(st.lists(st.integers(1, 3), max_size=2))
    fields = draw(st.lists(st.sampled_from("pqr"), min_size=1, max_size=2, unique=True))
    layout: Layout
    if draw(st.booleans()):
        inner = {"fields": fields}
        names = draw(st.permutations([*fields, "other"]))
        positions = draw(_nullable(st.fixed_dictionaries(dict.fromkeys(names, cells))))
        layout = StructOf(tuple((name, leaf) for name in names))
    else:
        inner = {"shape": shape}
        is_fixed = draw(st.booleans())
        positions = _nested(shape, cells)
        if shape and not is_fixed:
            positions = draw(_nullable(_nearly_nested(shape, cells)))
        layout = draw(_list_layouts(leaf, shape, is_fixed=is_fixed))
    item = RaggedInput(
        "x",
        column="a",
        max_length=draw(st.none() | st.integers(1, 3)),
        overflow=draw(st.sampled_from(["keep_first", "keep_last", "reject"])),
        pad_value=draw(st.sampled_from([0, 1])),
        mask=draw(st.booleans()),
        nulls=draw(st.sampled_from(["reject", "empty"])),
        null_items=draw(_null_rules(options["dtype"])),
        **inner,
        **options,
    )
    values = draw(st.lists(draw(_nullable(st.lists(positions, max_size=5))), max_size=6))
    return Case(item, {"a": values}, {"a": kind}, {"a": ListOf(layout, draw(st.booleans()))})


@st.composite
def _element_options(
    draw: st.DrawFn, vocabulary: bool = True
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Draw an input's element options, and the kinds of leaves that they accept."""
    presence = draw(st.booleans())
    if not vocabulary or draw(st.integers(0, 3)):
        dtype = draw(st.sampled_from(DTYPES))
        return {"dtype": dtype, "presence": presence}, _FITTING[dtype]
    words, kinds = draw(
        st.sampled_from([(("b", "", "a"), STRINGS), ((7, -2, 0), ("int8", "uint16", "int64"))])
    )
    dtype = draw(st.sampled_from(["int64", "int8", "uint8"]))
    unknown = draw(st.none() | st.integers(0, 9))
    options = {"vocabulary": words, "unknown_id": unknown, "dtype": dtype, "presence": presence}
    return options, kinds


def _null_rules(dtype: str) -> st.SearchStrategy[Any]:
    floats = ["nan", 2.5, -1] if dtype in FLOATS else []
    return st.sampled_from(["reject", 0, 1, *floats])


def _nested(shape: list[int], cells: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    for size in reversed(shape):
        cells = st.lists(cells, min_size=size, max_size=size)
    return cells


def _nearly_nested(shape: list[int], cells: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw arrays of a shape, and now and then one of another, or one that holds a null array."""
    for level, size in enumerate(reversed(shape)):
        right = st.lists(cells, min_size=size, max_size=size)
        wrong = st.lists(cells, max_size=3)
        none = [st.none()] if level + 1 < len(shape) else []
        cells = st.one_of(right, right, right, wrong, *none)
    return cells


@st.composite
def _leaf_layouts(draw: st.DrawFn, kind: str) -> Leaf:
    """Draw how a leaf is stored; as nothing but nulls, one time in ten."""
    if draw(st.integers(0, 9)) == 9:
        return Leaf("null")
    can_encode = kind not in ("decimal", "float16")  # Arrow builds no dictionary of them in lists
    return Leaf(kind, dictionary=can_encode and draw(st.booleans()))


@st.composite
def _list_layouts(
    draw: st.DrawFn, leaf: Layout, shape: list[int], *, is_fixed: bool = True
) -> Layout:
    layout = leaf
    for size in reversed(shape):
        fixed = size if is_fixed and draw(st.booleans()) else None
        layout = ListOf(layout, draw(st.booleans()), fixed)
    return layout


@st.composite
def _cells(draw: st.DrawFn, leaf: Layout) -> st.SearchStrategy[Any]:
    assert isinstance(leaf, Leaf)
    return draw(_nullable(leaf_values(leaf.kind)))


def _nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[st.SearchStrategy[Any]]:
    """Draw whether nulls are among the values, so that many a case has none at this level."""
    return st.sampled_from([values, st.none() | values])
