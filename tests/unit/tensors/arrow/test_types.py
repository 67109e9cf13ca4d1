from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput
from spark_infer.bundle.columns import DTYPES, FLOAT_DTYPES, INTEGER_DTYPES
from spark_infer.errors import SignatureError
from spark_infer.tensors import arrow_dtype, check_schema, type_problem
from spark_infer.tensors.arrow.schema import column_problem
from spark_infer.tensors.arrow.types import Unread, type_name

FLOATS = set(FLOAT_DTYPES)
INTEGERS = set(INTEGER_DTYPES)
ALL = set(DTYPES)
TABLE = {
    pa.null(): ALL,
    pa.bool_(): ALL,
    pa.int8(): FLOATS | INTEGERS,
    pa.int16(): FLOATS | INTEGERS,
    pa.int32(): FLOATS | INTEGERS,
    pa.int64(): FLOATS | INTEGERS,
    pa.uint8(): FLOATS | INTEGERS,
    pa.uint16(): FLOATS | INTEGERS,
    pa.uint32(): FLOATS | INTEGERS,
    pa.uint64(): FLOATS | INTEGERS,
    pa.float16(): FLOATS,
    pa.float32(): FLOATS,
    pa.float64(): FLOATS,
    pa.decimal128(10, 2): FLOATS,
    pa.date32(): FLOATS | {"int32", "int64"},
    pa.date64(): FLOATS | {"int32", "int64"},
    pa.timestamp("us", "UTC"): FLOATS | {"int64"},
    pa.time64("us"): set(),
    pa.duration("s"): set(),
    pa.string(): set(),
    pa.binary(): set(),
    pa.list_(pa.float32()): set(),
    pa.struct({"a": pa.float32()}): set(),
}


@pytest.mark.parametrize("kind", TABLE, ids=str)
def test_which_columns_fit_which_tensors(kind: pa.DataType) -> None:
    def fits(kind: pa.DataType) -> set[str]:
        inputs = {dtype: ScalarInput("x", columns=["a"], dtype=dtype) for dtype in DTYPES}
        return {dtype for dtype, item in inputs.items() if type_problem(kind, item) is None}

    assert fits(kind) == TABLE[kind]
    assert fits(pa.dictionary(pa.int32(), kind)) == TABLE[kind]


def tensor(permutation: list[int] | None) -> pa.DataType:
    return pa.fixed_shape_tensor(pa.float32(), [2, 3], permutation=permutation)


@pytest.mark.parametrize(
    "kind",
    [
        tensor([1, 0]),
        pa.dictionary(pa.int8(), tensor([1, 0])),
        pa.opaque(pa.list_(pa.float32()), "point", "another system"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "item", [RaggedInput("x", column="a"), ArrayInput("x", column="a", shape=[6])], ids=["r", "a"]
)
def test_an_array_that_means_more_than_its_storage_is_refused(
    kind: pa.DataType, item: Input
) -> None:
    with pytest.raises(SignatureError, match=r"expected array<float>, got .*ext.* array of"):
        check_schema([item], pa.schema({"a": kind}))


@pytest.mark.parametrize("permutation", [None, [0, 1]])
def test_a_tensor_in_the_order_of_its_dimensions_is_its_values(
    permutation: list[int] | None,
) -> None:
    item = ArrayInput("x", column="a", shape=[6])
    check_schema([item], pa.schema({"a": tensor(permutation)}))


def test_single_values_that_mean_more_than_their_storage_are_refused() -> None:
    months = pa.array(pd.period_range("2020", periods=2, freq="M"))
    item = ScalarInput("x", columns=["a"], dtype="int64")
    for kind in (months.type, pa.opaque(pa.int64(), "snowflake id", "another system"), pa.uuid()):
        problem = type_problem(kind, item)
        assert problem is not None
        assert "does not fit a tensor of int64; cast to bigint" in problem


def test_a_boolean_of_one_byte_is_a_boolean() -> None:
    assert type_name(pa.bool8()) == "boolean"
    assert type_name(pa.list_(pa.bool8())) == "array<boolean>"
    assert type_problem(pa.bool8(), ScalarInput("x", columns=["a"], dtype="bool")) is None
    item = RaggedInput("x", column="a", dtype="bool")
    check_schema([item], pa.schema({"a": pa.list_(pa.bool8())}))


STRINGS = {pa.string(), pa.large_string(), pa.string_view()}
IDS = {pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()}


@pytest.mark.parametrize(("words", "fitting"), [(("a",), STRINGS), ((1,), IDS)])
def test_a_vocabulary_takes_columns_of_its_own_kind(
    words: tuple, fitting: set[pa.DataType]
) -> None:
    item = ScalarInput("x", columns=["a"], vocabulary=words)
    accepted = {kind for kind in {*TABLE, *STRINGS} if type_problem(kind, item) is None}
    assert accepted == {pa.null(), *fitting}


def test_the_problem_says_what_to_do() -> None:
    numbers = ScalarInput("x", columns=["a"], dtype="int8")
    assert type_problem(pa.float32(), numbers) == (
        "float does not fit a tensor of int8; cast to tinyint"
    )
    assert "give an input of words a vocabulary" in str(type_problem(pa.string(), numbers))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_tensor_type_has_an_arrow_type(dtype: str) -> None:
    assert np.dtype(arrow_dtype(dtype).to_pandas_dtype()).name == dtype


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.null(), "void"),
        (pa.int64(), "bigint"),
        (pa.uint16(), "uint16"),
        (pa.decimal128(10, 2), "decimal(10,2)"),
        (pa.timestamp("ms"), "timestamp_ntz"),
        (pa.timestamp("us", "UTC"), "timestamp"),
        (pa.duration("us"), "interval day to second"),
        (pa.time64("ns"), "time(6)"),
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.list_(pa.list_(pa.float32())), "array<array<float>>"),
        (pa.map_(pa.string(), pa.int32()), "map<string,int>"),
        (pa.struct({"a": pa.bool_()}), "struct<a:boolean>"),
        (pa.struct([pa.field("m", pa.binary(), metadata={"variant": "true"})]), "variant"),
        (Unread("interval year"), "interval year"),
        (pa.list_(Unread("vector")), "array<vector>"),
    ],
    ids=str,
)
def test_types_have_the_names_that_spark_gives_them(kind: pa.DataType, name: str) -> None:
    assert type_name(kind) == name


def test_a_type_without_tensors_is_refused_wherever_it_stands() -> None:
    unread = Unread("interval year")
    item = RaggedInput("x", column="a")
    assert column_problem(unread, ScalarInput("x", columns=["a"])) == (
        "interval year does not fit a tensor of float32; cast to float"
    )
    assert "got interval year; make it an array of plain values first" in str(
        column_problem(unread, item)
    )
    assert "items: interval year does not fit" in str(column_problem(pa.list_(unread), item))
