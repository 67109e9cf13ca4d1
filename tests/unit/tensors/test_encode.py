from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import Output
from spark_infer.bundle.columns import DTYPES, FLOAT_DTYPES, INTEGER_DTYPES
from spark_infer.errors import PredictionError
from spark_infer.tensors import encode
from spark_infer.tensors.arrow.schema import output_type
from spark_infer.tensors.encode import check_output, cut, kept, unfit_rows
from spark_infer.tensors.rows import Rows

LABELS = ["ham", "spam", "naïve"]


@st.composite
def outputs(draw: st.DrawFn) -> Output:
    dtype = draw(st.sampled_from(DTYPES))
    follows = draw(st.sampled_from([None, "r"]))
    if dtype != "bool" and draw(st.booleans()):
        return Output("y", dtype=dtype, labels=LABELS, lengths_of=follows)
    shape = draw(st.lists(st.integers(1, 3), max_size=2))
    return Output("y", dtype=dtype, shape=shape, lengths_of=follows)


def random_values(output: Output, count: int, rnd: random.Random) -> npt.NDArray[Any]:
    shape = (count, *output.tensor_shape)
    high = 3 if output.labels is not None else 100
    numbers = np.array([rnd.randrange(high) for _ in range(int(np.prod(shape)))])
    scale = 0.5 if output.dtype in FLOAT_DTYPES else 1
    return (numbers * scale).astype(output.dtype).reshape(shape)


def expected_value(output: Output, value: npt.NDArray[Any]) -> Any:
    if output.labels is None:
        return value.tolist()
    index = int(value) if output.dtype in INTEGER_DTYPES else value.tolist().index(max(value))
    return LABELS[index]


@given(
    output=outputs(), sizes=st.lists(st.none() | st.integers(0, 3), max_size=6), rnd=st.randoms()
)
def test_every_output_becomes_its_column(
    output: Output, sizes: list[int | None], rnd: random.Random
) -> None:
    """``sizes`` holds each row's length, or None for a rejected row."""
    lengths, expected, parts = [], [], []
    for size in sizes:
        if size is None:
            expected.append(None)
            continue
        lengths.append(size)
        values = random_values(output, 1 if output.lengths_of is None else size, rnd)
        parts.append(values)
        row = [expected_value(output, value) for value in values]
        expected.append(row if output.lengths_of else row[0])
    rows = np.flatnonzero([size is not None for size in sizes])
    accepted = Rows.run(0, len(sizes)) if None not in sizes else Rows(rows)
    follows = None if output.lengths_of is None else np.array(lengths, np.int64)
    column = encode(output, parts, accepted, len(sizes), follows)
    column.validate(full=True)
    assert column.type == output_type(output)
    assert column.to_pylist() == expected


def test_a_nan_is_a_value_and_not_a_null() -> None:
    values = np.array([np.nan, 1.0], np.float32)
    column = encode(Output("y"), [values], Rows(np.array([0, 2])), 3, None)
    assert column.null_count == 1
    np.testing.assert_equal(column.to_pylist(), [np.nan, None, 1.0])


@pytest.mark.parametrize(
    ("options", "shape", "longest"),
    [
        ({}, (2,), None),
        ({}, (2, 1), None),
        ({"shape": [3]}, (2, 3), None),
        ({"shape": [3]}, (2, 3, 1), None),
        ({"shape": [1]}, (2, 1), None),
        ({"lengths_of": "r"}, (2, 5), 5),
        ({"lengths_of": "r"}, (2, 5, 1), 5),
        ({"lengths_of": "r", "shape": [4]}, (2, 5, 4), 5),
        ({"labels": LABELS}, (2, 3), None),
        ({"labels": ["one"]}, (2, 1), None),
    ],
)
def test_shapes_that_fit(options: dict, shape: tuple[int, ...], longest: int | None) -> None:
    output = Output("y", **options)
    checked = check_output(np.zeros(shape, np.float32), output, 2, longest)
    assert checked.shape == (2, *([] if longest is None else [longest]), *output.tensor_shape)


@pytest.mark.parametrize(
    ("options", "shape", "longest"),
    [
        ({}, (3,), None),
        ({}, (), None),
        ({}, (2, 2), None),
        ({"shape": [3]}, (2, 4), None),
        ({"shape": [3]}, (3, 2), None),
        ({"lengths_of": "r"}, (2, 4), 5),
        ({"lengths_of": "r"}, (2,), 5),
        ({"labels": LABELS}, (2,), None),
        ({"labels": LABELS, "dtype": "int64"}, (2, 3), None),
    ],
)
def test_shapes_that_do_not_fit(options: dict, shape: tuple[int, ...], longest: int | None) -> None:
    output = Output("y", **options)
    with pytest.raises(PredictionError, match=r"output 'y': the model returned shape .* 2 rows"):
        check_output(np.zeros(shape, output.dtype), output, 2, longest)


@pytest.mark.parametrize(
    ("given_dtype", "dtype"),
    [
        ("float16", "float32"),
        ("float64", "float16"),
        ("int64", "int8"),
        ("uint8", "int64"),
        ("int64", "uint8"),
        ("bool", "bool"),
    ],
)
def test_another_width_of_the_same_kind_is_taken(given_dtype: str, dtype: str) -> None:
    output = Output("y", dtype=dtype)
    checked = check_output(np.ones(2, given_dtype), output, 2, None)
    assert unfit_rows(checked, output, None) == {}


@pytest.mark.parametrize(
    ("given_dtype", "dtype"),
    [("float32", "int64"), ("int64", "float32"), ("bool", "int8"), ("int8", "bool"), ("O", "int8")],
)
def test_another_kind_is_refused(given_dtype: str, dtype: str) -> None:
    with pytest.raises(PredictionError, match=f"output 'y'.*promises {dtype}"):
        check_output(np.ones(2, given_dtype), Output("y", dtype=dtype), 2, None)


@pytest.mark.parametrize(
    ("options", "values", "what", "unfit"),
    [
        ({"dtype": "int8"}, [0, 128, -128, -129], "does not fit int8", [1, 3]),
        ({"dtype": "uint8"}, [0, -1, 255, 256], "does not fit uint8", [1, 3]),
        ({}, np.array([1.0, 1e300, -1e300, np.inf, np.nan]), "is too large for float32", [1, 2]),
        ({"dtype": "float16"}, np.array([1.0, 65504, 65520, 1e5]), "is too large", [2, 3]),
        ({"finite": True}, np.array([np.nan, 1, np.inf], "f"), "is NaN or infinite", [0, 2]),
        ({"labels": ["a", "b"], "dtype": "int64"}, [0, 1, 2, -1], "is no label's id", [2, 3]),
        (
            {"labels": ["a", "b"]},
            np.array([[0, 1], [np.nan, 1], [1, np.nan], [-np.inf, np.inf]], "f"),
            "is NaN, which chooses no label",
            [1, 2],
        ),
        (
            {"labels": ["a", "b", "c"]},
            np.array([[0, 1, 1], *([[np.inf, x, -np.inf] for x in (0, np.inf)])], "f"),
            "is infinite for several labels, which chooses none",
            [2],
        ),
        (
            {"labels": ["a", "b"]},
            np.array([[-np.inf, 0], [-np.inf, -np.inf], [np.inf, np.inf], [2, 2]], "f"),
            "is infinite for several labels, which chooses none",
            [1, 2],
        ),
        ({"shape": [2], "dtype": "int8"}, [[0, 200], [0, 1]], "does not fit int8", [0]),
    ],
)
def test_rows_of_which_no_prediction_can_be_made(
    options: dict[str, Any], values: Any, what: str, unfit: list[int]
) -> None:
    output = Output("y", **options)
    (found,) = unfit_rows(np.asarray(values), output, None).items()
    assert what in found[0]
    assert np.flatnonzero(found[1]).tolist() == unfit


@pytest.mark.parametrize(
    ("dtype", "scores"),
    [
        ("float32", np.array([[1 - 1e-9, 1 - 1e-10], [1e300, 2e300], [0, 1e-300]])),
        ("float32", np.array([[-2e300, -1e300], [2**53, 2**53 + 2]])),
        ("float16", np.array([[1, 1.0001], [7e4, 8e4]], np.float32)),
    ],
)
def test_the_highest_score_wins_in_the_type_of_the_model(dtype: str, scores: Any) -> None:
    output = Output("y", dtype=dtype, labels=["a", "b"])
    assert unfit_rows(scores, output, None) == {}
    rows = Rows.run(0, len(scores))
    column = encode(output, [kept(scores, output)], rows, len(scores), None)
    assert column.to_pylist() == ["b"] * len(scores)


def test_other_values_are_kept_in_the_type_of_the_output() -> None:
    assert kept(np.ones(2), Output("y")).dtype == np.float32
    assert kept(np.ones(2, np.int64), Output("y", dtype="int8", labels=["a", "b"])).dtype == np.int8


def test_padding_makes_no_row_unfit() -> None:
    output = Output("y", labels=["a", "b"], lengths_of="r")
    scores = np.zeros((3, 2, 2), np.float32)
    scores[:, 1] = np.nan
    (found,) = unfit_rows(scores, output, np.array([1, 2, 0])).values()
    assert found.tolist() == [False, True, False]


def test_infinite_padding_makes_no_row_unfit() -> None:
    output = Output("y", labels=["a", "b"], lengths_of="r")
    scores = np.zeros((3, 2, 2), np.float32)
    scores[:, 1] = -np.inf
    (found,) = unfit_rows(scores, output, np.array([1, 2, 0])).values()
    assert found.tolist() == [False, True, False]


def test_padding_is_cut_off() -> None:
    padded = np.arange(12).reshape(2, 3, 2)
    assert cut(padded, np.array([1, 2])).tolist() == [[0, 1], [6, 7], [8, 9]]
    assert cut(padded, np.array([0, 0])).shape == (0, 2)


def test_more_values_than_a_list_column_holds() -> None:
    output = Output("y", dtype="int8", lengths_of="r")
    lengths = np.full(3, 2**30)
    with pytest.raises(PredictionError, match="do not fit a list column"):
        encode(output, [np.zeros(0, np.int8)], Rows.run(0, 3), 3, lengths)


def test_a_column_is_a_plain_array() -> None:
    parts = [np.zeros(2, np.float32), np.ones(1, np.float32)]
    column = encode(Output("y"), parts, Rows.run(0, 3), 3, None)
    assert isinstance(column, pa.Array)
    assert column.to_pylist() == [0, 0, 1]
