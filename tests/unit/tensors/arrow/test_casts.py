from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput, Signature
from spark_infer.bundle import Output as Out
from spark_infer.bundle.columns import DTYPES, FLOAT_DTYPES
from spark_infer.tensors import Decoder, type_problem
from spark_infer.tensors.arrow.casts import TABLE, refusal, rule_of
from spark_infer.tensors.arrow.leaves import leaves
from tests.unit.support.casting import VALUES, expected, nearest, same, tensors_of

PAIRS = [(kind, dtype) for kind in VALUES for dtype in tensors_of(kind)]


def scalar(dtype: str) -> ScalarInput:
    return ScalarInput("x", columns=["a"], dtype=dtype)


def check(kind: str, dtype: str, values: list[Any], found: Any) -> None:
    wanted = [expected(kind, dtype, value) for value in values]
    wrong = [
        (value, got, want)
        for value, got, want in zip(values, found.tolist(), wanted, strict=True)
        if want is not None and not same(got, want)
    ]
    assert not wrong


@pytest.mark.parametrize(("kind", "dtype"), PAIRS)
def test_values_at_the_edges(kind: str, dtype: str) -> None:
    arrow, values = VALUES[kind]
    column = pa.array([None, *values], arrow).slice(1)
    part = leaves(column, scalar(dtype))
    assert part.values.dtype == np.dtype(dtype)
    check(kind, dtype, values, part.values)
    outside = [expected(kind, dtype, value) is None for value in values]
    assert (part.outside is None) == (not any(outside))
    if part.outside is not None:
        assert part.outside.tolist() == outside


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_not_cast_is_refused(kind: str) -> None:
    arrow, _ = VALUES[kind]
    fitting = {dtype for dtype in DTYPES if type_problem(arrow, scalar(dtype)) is None}
    assert fitting == set(tensors_of(kind))


@given(data=st.data())
def test_decimals_of_any_width_are_the_nearest_floats(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([b for b in (32, 64, 128, 256) if hasattr(pa, f"decimal{b}")]))
    most = {32: 9, 64: 18, 128: 38, 256: 38}[bits]
    precision = data.draw(st.integers(1, most))
    scale = data.draw(st.integers(0, precision))
    top = 10**precision - 1
    units = data.draw(st.lists(st.integers(-top, top) | st.none(), min_size=1, max_size=20))
    values = [None if unit is None else Decimal(f"{unit}E{-scale}") for unit in units]
    column = pa.array(values, getattr(pa, f"decimal{bits}")(precision, scale))
    for dtype in FLOAT_DTYPES:
        part = leaves(column, scalar(dtype))
        real = [row for row, value in enumerate(values) if value is not None]
        check("decimal", dtype, [values[row] for row in real], part.values[real])


@pytest.mark.parametrize("scale", [-3, -30])
def test_decimals_of_a_negative_scale(scale: int) -> None:
    values = [Decimal(f"{unit}E{-scale}") for unit in (0, 7, -123)]
    part = leaves(pa.array(values, pa.decimal128(38, scale)), scalar("float64"))
    check("decimal", "float64", values, part.values)


def test_a_decimal_beside_the_middle_between_two_floats_keeps_its_side() -> None:
    middle = 2**24 + 1
    values = [Decimal(f"{middle}.{'0' * 20}{end}") for end in "019"]
    values += [value.copy_negate() for value in values]
    part = leaves(pa.array(values, pa.decimal128(38, 21)), scalar("float32"))
    up = 2.0**24 + 2
    assert part.values.tolist() == [2.0**24, up, up, -(2.0**24), -up, -up]


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@pytest.mark.parametrize("unit", UNITS)
@given(ticks=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**19) // 10**4, 10**15)))
def test_seconds_of_timestamps_of_any_unit(unit: str, ticks: list[int]) -> None:
    column = pa.array(ticks, pa.int64()).cast(pa.timestamp(unit))
    for dtype in ("float64", "float32"):
        found = leaves(column, scalar(dtype)).values.tolist()
        assert found == [nearest(Fraction(tick, UNITS[unit]), dtype) for tick in ticks]
    assert leaves(column, scalar("int64")).values.tolist() == [t // UNITS[unit] for t in ticks]


@pytest.mark.parametrize("name", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_unsigned_columns(name: str, dtype: str) -> None:
    kind = pa.type_for_alias(name)
    top = np.iinfo(name).max
    values = [0, 1, 255, *(v for v in (256, 2**24 + 1, 2**53 + 1, top) if v <= top)]
    if dtype == "bool":
        assert type_problem(kind, scalar(dtype)) is not None
        return
    part = leaves(pa.array(values, kind), scalar(dtype))
    check(name, dtype, values, part.values)


INPUTS: list[Input] = [
    ScalarInput("x", columns=["b", "a"], dtype="uint8"),
    ArrayInput("x", column="a", shape=[2], dtype="uint8"),
    RaggedInput("x", column="a", dtype="uint8"),
    RaggedInput("x", column="a", fields=["p", "q"], dtype="uint8"),
]


@pytest.mark.parametrize("item", INPUTS, ids=["scalar", "array", "ragged", "structs"])
def test_a_value_out_of_range_costs_its_row(item: Input) -> None:
    numbers = [[7, 8], [7, 256], [-1, 7], None, [0, 255]]
    columns: dict[str, Any] = {"a": pa.array(numbers, pa.list_(pa.int32()))}
    if isinstance(item, ScalarInput):
        pairs = [pair or [None, None] for pair in numbers]
        columns = {name: pa.array([p[i] for p in pairs]) for i, name in enumerate("ba")}
    elif isinstance(item, RaggedInput) and item.fields:
        pairs = [pair and [{"p": pair[0], "q": pair[1]}] for pair in numbers]
        columns = {"a": pa.array(pairs)}
    signature = Signature(inputs=[item], outputs=[Out("y")])
    decoded = Decoder(signature).decode(pa.RecordBatch.from_pydict(columns))
    first, null = ("b", "b") if isinstance(item, ScalarInput) else ("a", "a")
    assert decoded.rejects.reasons().to_pylist() == [
        None,
        "column 'a' holds a value outside 0..255",
        f"column {first!r} holds a value outside 0..255",
        f"column {null!r} is null",
        None,
    ]
    tensor = decoded.tensors(decoded.rejects.accepted)["x"]
    assert tensor.reshape(2, 2).tolist() == [[7, 8], [0, 255]]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_every_integer_tensor_has_a_range(dtype: str) -> None:
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    for kind, values in (
        (pa.int64(), [least, most, least - 1, most + 1]),
        (pa.uint64(), [0, most, most + 1, 2**64 - 1]),
    ):
        info = np.iinfo(kind.to_pandas_dtype())
        given = [value for value in values if info.min <= value <= info.max]
        part = leaves(pa.array(given, kind), scalar(dtype))
        outside = [not least <= value <= most for value in given]
        assert (part.outside.tolist() if part.outside is not None else [False] * len(given)) == (
            outside
        )
        held = [value for value, out in zip(given, outside, strict=True) if not out]
        assert part.values[~np.array(outside)].tolist() == held


def test_a_value_that_is_cut_off_costs_nothing() -> None:
    item = RaggedInput("x", column="a", dtype="uint8", max_length=1, overflow="keep_first")
    signature = Signature(inputs=[item], outputs=[Out("y")])
    batch = pa.RecordBatch.from_pydict({"a": pa.array([[1, 300], [300, 1]])})
    assert Decoder(signature).decode(batch).rejects.rows.tolist() == [False, True]


def test_the_table_names_no_rule_for_what_is_no_number() -> None:
    for kind in ("string", "binary", "interval", "time", "variant", "array", "map", "struct"):
        assert kind not in TABLE
        assert all(rule_of(kind, scalar(dtype)) is None for dtype in DTYPES)


def test_a_refusal_says_what_to_do() -> None:
    words = ScalarInput("x", columns=["a"], vocabulary=["b"])
    assert refusal("date", scalar("int8")) == (
        "date does not fit a tensor of int8; cast to tinyint"
    )
    assert refusal("string", scalar("uint8")).endswith(
        "; cast to smallint what is a number (a feature can), and give an input of words a "
        "vocabulary"
    )
    assert refusal("binary", scalar("float32")).endswith("; decode it to numbers first")
    assert refusal("int", words) == "int does not match a vocabulary of str; cast to string"


def test_random_doubles_round_as_the_reference_does() -> None:
    rnd = random.Random(0)
    values = [rnd.uniform(-70000, 70000) for _ in range(200)]
    for dtype in FLOAT_DTYPES:
        check("double", dtype, values, leaves(pa.array(values), scalar(dtype)).values)
