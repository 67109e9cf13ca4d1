from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from spark_infer.bundle import ScalarInput
from spark_infer.tensors.arrow.leaves import Leaves, leaves, plain

PARIS = dt.timezone(dt.timedelta(hours=2))


class Celsius(pa.ExtensionType):
    def __init__(self) -> None:
        super().__init__(pa.float64(), "tests.celsius")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, data: bytes) -> Celsius:
        return cls()


def bool8(values: list[int]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.bool8(), pa.array(values, pa.int8()))


def read(column: pa.Array, dtype: str = "float32", **options: object) -> Leaves:
    return leaves(column, ScalarInput("x", columns=["a"], dtype=dtype, **options))


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        (pa.array([True, False]), "bool", [True, False]),
        (pa.array([True, False]), "int8", [1, 0]),
        (pa.array([True, False]), "float64", [1.0, 0.0]),
        (pa.array([2**24 + 1]), "float32", [2.0**24]),
        (pa.array([2**64 - 1], pa.uint64()), "float64", [2.0**64]),
        (pa.array(np.array([0.1], np.float16)), "float32", [np.float32(np.float16(0.1))]),
        (pa.array([1e6]), "float16", [np.inf]),
        (pa.array([Decimal("12.25")], pa.decimal128(38, 2)), "float64", [12.25]),
        (pa.array([Decimal("-0.5")], pa.decimal256(50, 1)), "float32", [-0.5]),
        (pa.array([dt.date(1970, 1, 3), dt.date(1969, 12, 31)]), "int32", [2, -1]),
        (pa.array([86_400_000 * 2 + 5, -1], pa.date64()), "int64", [2, -1]),
        (pa.array([1500, -1], pa.timestamp("ms")), "float64", [1.5, -0.001]),
        (pa.array([1500, -1], pa.timestamp("ms")), "int64", [1, -1]),
        (pa.array([1_500_000], pa.timestamp("us")), "float64", [1.5]),
        (pa.array([-1, 10**9], pa.timestamp("ns")), "int64", [-1, 1]),
        (
            pa.array([dt.datetime(1970, 1, 1, 2, tzinfo=PARIS)], pa.timestamp("s", "+02:00")),
            "int64",
            [0],
        ),
        (pa.ExtensionArray.from_storage(Celsius(), pa.array([21.5])), "float32", [21.5]),
        (pa.array([1, 2, 1]).dictionary_encode(), "int64", [1, 2, 1]),
        (bool8([0, 1, 2, -1]), "float32", [0.0, 1.0, 1.0, 1.0]),
        (bool8([0, 2]), "bool", [False, True]),
        (pa.DictionaryArray.from_arrays([0, 1, 1], bool8([0, 2])), "int8", [0, 1, 1]),
        (bool8([2, 0, 2, 0])[1:3], "uint8", [0, 1]),
    ],
    ids=str,
)
def test_values_follow_the_table_of_types(column: pa.Array, dtype: str, expected: list) -> None:
    read_back = read(column, dtype)
    assert read_back.values.dtype == np.dtype(dtype)
    assert read_back.values.tolist() == expected
    assert read_back.valid is None


def test_a_dictionary_may_hold_the_null() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array([5.0, None]))
    read_back = read(column)
    assert read_back.values[0] == 5
    assert read_back.valid is not None
    assert read_back.valid.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "words", "values", "ids"),
    [
        (pa.string(), ("b", "a"), ["a", "b", "zebra", ""], [1, 0, 2, 2]),
        (pa.large_string(), ("b", "a"), ["a"], [1]),
        (pa.string_view(), ("b", "a"), ["a"], [1]),
        (pa.uint8(), (-1, 7), [7, 255], [1, 2]),
        (pa.int64(), (7, -(2**63)), [-(2**63), 0], [1, 2]),
    ],
    ids=str,
)
def test_a_word_becomes_its_position_in_the_vocabulary(
    kind: pa.DataType, words: tuple, values: list, ids: list[int]
) -> None:
    read_back = read(pa.array(values, kind), "int16", vocabulary=words)
    assert read_back.values.dtype == np.int16
    assert read_back.values.tolist() == ids


def test_an_unknown_word_takes_the_unknown_id() -> None:
    column = pa.array(["a", "zebra"])
    assert read(column, "int64", vocabulary=("a",), unknown_id=-7).values.tolist() == [0, -7]


def test_chunks_of_different_dictionaries_are_joined() -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]
    assert plain(pa.chunked_array(chunks)).to_pylist() == ["a", "b", "b"]
    assert len(plain(pa.chunked_array([], pa.float32()))) == 0


def test_views_are_read_as_the_values_that_they_are() -> None:
    for values, kind in ((["a", None], pa.string_view()), ([b"a", None], pa.binary_view())):
        column = plain(pa.array(values, kind))
        assert column.take(pa.array([1, 0])).to_pylist() == values[::-1]
        assert plain(pa.chunked_array([pa.array(values, kind)])).to_pylist() == values


def test_chunks_of_dictionaries_that_are_too_many_words_together() -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    words = [[f"{part} {number}" for number in range(100)] for part in range(3)]
    column = pa.chunked_array([pa.array(part, kind) for part in words])
    assert plain(column).to_pylist() == [word for part in words for word in part]


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()], ids=str)
def test_dictionaries_of_views_are_read_as_their_words(kind: pa.DataType) -> None:
    words = pa.array(["a", None, "a word that no view holds in itself"], pa.string()).cast(kind)
    coded = pa.DictionaryArray.from_arrays(pa.array([2, 0, 1, None], pa.int8()), words)
    twice = pa.DictionaryArray.from_arrays(pa.array([3, 0], pa.int32()), coded)
    long, short = words[2].as_py(), words[0].as_py()
    assert plain(coded).to_pylist() == [long, short, None, None]
    assert plain(coded[1:3]).to_pylist() == [short, None]
    assert plain(twice).to_pylist() == [None, long]
    assert plain(pa.chunked_array([coded, coded[:1]])).to_pylist() == [
        *(long, short, None, None),
        long,
    ]
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), words[1:])
    of_lists = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int8()), lists)
    assert plain(of_lists).to_pylist() == [[long], [None]]


def test_a_dictionary_of_words_of_an_extension_over_views() -> None:
    words = pa.array(["a", "b"], pa.string_view())
    words = pa.ExtensionArray.from_storage(pa.json_(pa.string_view()), words)
    assert plain(pa.DictionaryArray.from_arrays([1, 0], words)).to_pylist() == ["b", "a"]
