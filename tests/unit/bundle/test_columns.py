from __future__ import annotations

from collections.abc import Callable

import pytest

from spark_infer.bundle import ArrayInput, Column, Output, RaggedInput, ScalarInput
from spark_infer.bundle.columns import check_null_rule, check_number
from spark_infer.errors import SignatureError

WORDS = ("reject", "nan")


def test_a_bare_name_rejects_nulls() -> None:
    assert Column.of("a") == Column("a", nulls="reject")
    assert Column.of(column := Column("a", nulls=0)) is column


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_column_has_a_name(name: object) -> None:
    with pytest.raises(SignatureError, match="a column must have a non-empty name"):
        Column(name)


NAMES = ["a\n", "a\tb", "\x1b[2J", "a\x00", "a\u2028b", "\x85", "\u202eb", "\ud800", "\n"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "make",
    [
        Column,
        Output,
        lambda name: ScalarInput("x", columns=[name]),
        lambda name: ScalarInput(name, columns=["a"]),
        lambda name: ArrayInput("x", column=name, shape=[2]),
        lambda name: RaggedInput("x", column=name, max_length=8),
        lambda name: RaggedInput("x", column="a", fields=["b", name], max_length=8),
    ],
    ids=["column", "output", "in a list", "input", "array", "ragged", "field"],
)
def test_a_name_reads_as_one_line(make: Callable[[str], object], name: str) -> None:
    with pytest.raises(SignatureError, match="have a name of printable characters") as caught:
        make(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a b", "a.b", "a`b", "'a'", "größe", "列", "a\\b", " a", "é😀"])
def test_a_name_may_be_any_line(name: str) -> None:
    assert Column(name).name == Output(name).name == name


@pytest.mark.parametrize(
    ("rule", "dtype"),
    [("reject", "bool"), ("nan", "float16"), (0.5, "float32"), (-1, "float64"), (255, "uint8")],
)
def test_null_rules_that_fit(rule: object, dtype: str) -> None:
    check_null_rule(rule, where="here", dtype=dtype, words=WORDS)


@pytest.mark.parametrize(
    ("rule", "dtype", "message"),
    [
        ("zero", "float32", r"here: null rule 'zero' is unknown; use one of \['reject', 'nan'\]"),
        ("empty", "float32", "null rule 'empty' is unknown"),
        ("nan", "int64", "null rule 'nan' needs a float tensor, not int64"),
        (None, "float32", r"null rule must be one of \['reject', 'nan'\] or a number"),
        (0.0, "int64", "here: null value 0.0 does not fit a tensor of int64"),
        (300, "int8", "null value 300 does not fit a tensor of int8"),
    ],
)
def test_null_rules_that_do_not_fit(rule: object, dtype: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        check_null_rule(rule, where="here", dtype=dtype, words=WORDS)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (float("nan"), "float32"),
        (float("-inf"), "float64"),
        (1e6, "float16"),
        (10**400, "float64"),
        (-1, "uint8"),
        (2**63, "int64"),
        (2, "bool"),
        (0.0, "bool"),
        ("0", "float32"),
    ],
)
def test_numbers_that_a_tensor_cannot_hold(value: object, dtype: str) -> None:
    with pytest.raises(SignatureError, match=f"does not fit a tensor of {dtype}"):
        check_number(value, where="here", dtype=dtype)


@pytest.mark.parametrize(
    ("value", "dtype"), [(65504, "float16"), (-(2**63), "int64"), (True, "bool"), (1, "bool")]
)
def test_numbers_that_a_tensor_can_hold(value: float, dtype: str) -> None:
    check_number(value, where="here", dtype=dtype)
