from __future__ import annotations

from typing import Any

import pytest

from spark_infer.bundle import ArrayInput, Column, Input, RaggedInput, ScalarInput
from spark_infer.errors import SignatureError

SCALAR: dict[str, Any] = {"columns": ["a"]}
ARRAY: dict[str, Any] = {"column": "a", "shape": [2]}
RAGGED: dict[str, Any] = {"column": "a"}


def test_the_tensor_type_follows_from_the_vocabulary() -> None:
    assert ScalarInput("x", **SCALAR).dtype == "float32"
    assert ScalarInput("x", **SCALAR, vocabulary=["a"]).dtype == "int64"
    assert ScalarInput("x", **SCALAR, vocabulary=["a"], dtype="int8").dtype == "int8"


def test_an_unknown_word_has_the_id_after_the_last_word() -> None:
    assert RaggedInput("x", **RAGGED, vocabulary=["a", "b"]).unknown_id == 2
    assert RaggedInput("x", **RAGGED, vocabulary=["a", "b"], unknown_id=0).unknown_id == 0


@pytest.mark.parametrize(
    ("item", "columns", "shape", "tensors"),
    [
        (ScalarInput("x", columns=["a", Column("b")]), ("a", "b"), (2,), ("x",)),
        (ArrayInput("x", column="a", shape=[2, 3]), ("a",), (2, 3), ("x",)),
        (RaggedInput("x", column="a"), ("a",), (), ("x", "x_mask")),
        (RaggedInput("x", column="a", mask=False), ("a",), (), ("x",)),
        (RaggedInput("x", column="a", shape=[4]), ("a",), (4,), ("x", "x_mask")),
        (RaggedInput("x", column="a", fields=["p", "q"]), ("a",), (2,), ("x", "x_mask")),
        (ScalarInput("x", columns=["a"], presence=True), ("a",), (1,), ("x", "x_present")),
        (
            RaggedInput("x", column="a", presence=True),
            ("a",),
            (),
            ("x", "x_mask", "x_present"),
        ),
    ],
)
def test_what_an_input_reads_and_gives(
    item: Input, columns: tuple[str, ...], shape: tuple[int, ...], tensors: tuple[str, ...]
) -> None:
    assert item.column_names == columns
    assert item.item_shape == shape
    assert item.tensor_names == tensors


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (ScalarInput, {"name": "", **SCALAR}, "an input must have a non-empty name"),
        (ScalarInput, {"name": 10**5000, **SCALAR}, "non-empty name, got <int>"),
        (ArrayInput, {"name": 10**5000, **ARRAY}, "non-empty name, got <int>"),
        (RaggedInput, {"name": 10**5000, **RAGGED}, "non-empty name, got <int>"),
        (RaggedInput, {"max_length": 10**5000, **RAGGED}, "max_length must be .* got <int>"),
        (RaggedInput, {"pad_to": -(10**5000), **RAGGED}, "pad_to must be .* got <int>"),
        (ScalarInput, {"name": "a b", **SCALAR}, "'a b' must be an identifier"),
        (ArrayInput, {"lengths": "errors", **ARRAY}, "lengths must be 'reject' or 'error'"),
        (RaggedInput, {"lengths": 1, "shape": [2], **RAGGED}, "lengths must be 'reject' or"),
        (RaggedInput, {"lengths": "error", **RAGGED}, "no shape for them.*max_length"),
        (RaggedInput, {"lengths": "error", "fields": ["p"], **RAGGED}, "no shape for them"),
        (
            ScalarInput,
            {"dtype": "float", **SCALAR},
            r"input 'x': dtype 'float' is unknown; use one",
        ),
        (ScalarInput, {"columns": "amount"}, "columns must be a list, not a string"),
        (ScalarInput, {"columns": []}, "input 'x' names no column"),
        (ScalarInput, {"columns": [Column("a", nulls=True)]}, "null value True does not fit"),
        (
            ScalarInput,
            {"columns": [Column("a", nulls=False)], "dtype": "int64"},
            "null value False does not fit",
        ),
        (ScalarInput, {"columns": [Column("a", nulls="empty")]}, "column 'a': null rule 'empty'"),
        (
            ScalarInput,
            {"columns": [Column("a", nulls=1.5)], "dtype": "int64"},
            "input 'x', column 'a': null value 1.5 does not fit a tensor of int64",
        ),
        (ScalarInput, {**SCALAR, "unknown_id": 1}, "unknown_id needs a vocabulary"),
        (ScalarInput, {**SCALAR, "vocabulary": []}, "at least one; got \\[\\]"),
        (ScalarInput, {**SCALAR, "vocabulary": "abc"}, "a vocabulary is a list, not a string"),
        (ScalarInput, {**SCALAR, "vocabulary": ["a", 1]}, r"all of one kind.*\['int', 'str'\]"),
        (ScalarInput, {**SCALAR, "vocabulary": [True]}, r"got \['bool'\]"),
        (ScalarInput, {**SCALAR, "vocabulary": ["a", "\ud800b"]}, r"value '\\ud800b' is no text"),
        (RaggedInput, {**RAGGED, "vocabulary": ["\ud83d", "\ude00"]}, r"'\\ud83d' is no text"),
        (ScalarInput, {**SCALAR, "vocabulary": ["a", "a"]}, "the vocabulary names a value twice"),
        (ScalarInput, {**SCALAR, "vocabulary": [2**63]}, "vocabulary value 9223372036854775808"),
        (
            ScalarInput,
            {**SCALAR, "vocabulary": ["a"], "dtype": "float32"},
            "dtype must be an integer type, not float32",
        ),
        (
            ScalarInput,
            {**SCALAR, "vocabulary": range(200), "unknown_id": 0, "dtype": "int8"},
            "input 'x': id 199 does not fit a tensor of int8",
        ),
        (
            ScalarInput,
            {**SCALAR, "vocabulary": ["a"], "unknown_id": -1, "dtype": "uint8"},
            "input 'x': id -1 does not fit a tensor of uint8",
        ),
        (ArrayInput, {"column": "", "shape": [1]}, "the column of input 'x' must have a non-empty"),
        (ArrayInput, {"column": "a", "shape": []}, r"shape must be positive integers, got \[\]"),
        (ArrayInput, {"column": "a", "shape": [2, 0]}, r"positive integers, got \[2, 0\]"),
        (ArrayInput, {"column": "a", "shape": [2.0]}, "shape must be positive integers"),
        (ArrayInput, {**ARRAY, "nulls": "empty"}, "null rule 'empty' is unknown"),
        (ArrayInput, {**ARRAY, "null_items": "skip"}, "null rule 'skip' is unknown"),
        (RaggedInput, {"column": None}, "the column of input 'x' must have a non-empty name"),
        (RaggedInput, {**RAGGED, "fields": "pq"}, "fields must be a list, not a string"),
        (RaggedInput, {**RAGGED, "fields": ["p", "p"]}, "a struct field is named twice"),
        (RaggedInput, {**RAGGED, "fields": ["p"], "shape": [1]}, "not both"),
        (RaggedInput, {**RAGGED, "shape": [-1]}, "shape must be positive integers"),
        (
            RaggedInput,
            {**RAGGED, "max_length": 0},
            "max_length must be from 1 to .*, got 0",
        ),
        (RaggedInput, {**RAGGED, "overflow": "cut"}, "overflow must be 'keep_first', .*'cut'"),
        (RaggedInput, {**RAGGED, "pad_to": 0}, "pad_to must be from 1 to .*, got 0"),
        (RaggedInput, {**RAGGED, "pad_to": "9"}, "pad_to must be a valid integer.*'9'"),
        (RaggedInput, {**RAGGED, "pad_multiple": True}, "pad_multiple must be a valid integer"),
        (RaggedInput, {**RAGGED, "min_length": -1}, "min_length must be from 0 to"),
        (
            RaggedInput,
            {**RAGGED, "min_length": 3, "max_length": 2},
            "min_length 3 is above max_length 2",
        ),
        (RaggedInput, {**RAGGED, "pad_to": 3, "max_length": 4}, "max_length 4 is above pad_to 3"),
        (RaggedInput, {**RAGGED, "pad_to": 4, "pad_multiple": 2}, "pad_to or pad_multiple, not"),
        (RaggedInput, {**RAGGED, "pad_multiple": 4, "max_length": 6}, "6 is no multiple of"),
        (RaggedInput, {**RAGGED, "nulls": "nan"}, "nulls must be 'reject' or 'empty', got 'nan'"),
        (RaggedInput, {**RAGGED, "null_items": "empty"}, "null rule 'empty' is unknown"),
        (
            RaggedInput,
            {**RAGGED, "pad_value": 0.5, "dtype": "int64"},
            "column 'a': pad_value 0.5 does not fit a tensor of int64",
        ),
        (RaggedInput, {**RAGGED, "pad_value": "x"}, "pad_value 'x' does not fit"),
        (RaggedInput, {**RAGGED, "pad_value": True}, "pad_value must be a number, got True"),
        (RaggedInput, {**RAGGED, "pad_value": None}, "pad_value None does not fit"),
        (RaggedInput, {**RAGGED, "max_length": "5"}, "max_length must be a valid integer, got '5'"),
        (RaggedInput, {**RAGGED, "max_length": True}, "max_length must be a valid integer"),
        (RaggedInput, {**RAGGED, "max_length": 5.0}, "max_length must be a valid integer"),
        (RaggedInput, {**RAGGED, "max_length": 2**31}, "max_length must be from 1 to 2147483647"),
        (RaggedInput, {**RAGGED, "overflow": None}, "overflow must be 'keep_first'"),
        (RaggedInput, {**RAGGED, "mask": "no"}, "mask must be true, false or a Mask, got 'no'"),
        (RaggedInput, {**RAGGED, "fields": [1]}, r"fields\[0\] must be a valid string, got 1"),
        (RaggedInput, {**RAGGED, "fields": 5}, "fields must be a list, got 5"),
        (RaggedInput, {**RAGGED, "fields": {"p", "q"}}, "fields must be a list, got {"),
        (RaggedInput, {**RAGGED, "shape": 5}, "shape must be a list, got 5"),
        (
            RaggedInput,
            {**RAGGED, "shape": [True]},
            r"shape must be positive integers, got \[True\]",
        ),
        (RaggedInput, {**RAGGED, "nulls": [1]}, r"nulls must be 'reject' or 'empty', got \[1\]"),
        (RaggedInput, {**RAGGED, "null_items": None}, "null rule must be one of"),
        (ArrayInput, {"column": "a", "shape": 5}, "shape must be a list, got 5"),
        (ArrayInput, {"column": "a", "shape": "23"}, "shape must be a list, not a string"),
        (ArrayInput, {"column": "a", "shape": [2**20, 2**20]}, "more than 2,147,483,647 values"),
        (ArrayInput, {"column": 5, "shape": [1]}, "the column of input 'x' must have a non-empty"),
        (ScalarInput, {"columns": [1]}, "a column must have a non-empty name, got 1"),
        (ScalarInput, {"columns": [None]}, "a column must have a non-empty name, got None"),
        (ScalarInput, {"columns": 5}, "columns must be a list, got 5"),
        (ScalarInput, {"columns": {"a", "b"}}, "columns must be a list, got {"),
        (ScalarInput, {"columns": [Column("a", nulls=None)]}, "null rule must be one of"),
        (ScalarInput, {**SCALAR, "dtype": 5}, "dtype must be a valid string, got 5"),
        (ScalarInput, {**SCALAR, "dtype": None}, "dtype must be a valid string, got None"),
        (ScalarInput, {**SCALAR, "dtype": ["int8"]}, "dtype must be a valid string"),
        (ScalarInput, {**SCALAR, "presence": 1}, "presence must be a valid boolean, got 1"),
        (ScalarInput, {**SCALAR, "name": 5}, "an input must have a non-empty name, got 5"),
        (ScalarInput, {**SCALAR, "vocabulary": 5}, "vocabulary must be a list, got 5"),
        (ScalarInput, {**SCALAR, "vocabulary": {"a", "b"}}, "vocabulary must be a list"),
        (ScalarInput, {**SCALAR, "vocabulary": {"a": 0}}, "vocabulary must be a list"),
        (
            ScalarInput,
            {**SCALAR, "vocabulary": ["a"], "unknown_id": "0"},
            "unknown_id must be a val",
        ),
        (
            ScalarInput,
            {**SCALAR, "vocabulary": ["a"], "unknown_id": True},
            "unknown_id must be a v",
        ),
    ],
)
def test_mistakes_are_named(kind: type[Input], options: dict[str, Any], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        kind(**{"name": "x"} | options)


def test_an_input_of_no_kind_is_of_no_use() -> None:
    with pytest.raises(TypeError, match="use ScalarInput, ArrayInput or RaggedInput"):
        _ = Input("x").column_names


def test_a_padded_length_is_the_longest_row_too() -> None:
    assert RaggedInput("x", column="x", pad_to=7).max_length == 7
    assert RaggedInput("x", column="x", pad_to=7, max_length=5).max_length == 5
