"""What pandas has made of columns: floats of integers, frames of structs, objects."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.errors import SignatureError
from spark_infer.spark.wire.pandas_bridge import as_declared, from_pandas

BIG = 2**53


def declared(values: Any, item: Any) -> pa.Array:
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    return as_declared({"x": values}, signature)["x"]


SCALAR = si.ScalarInput("n", columns=[si.Column("x", nulls=0)], dtype="int64")
IDS = si.ScalarInput("n", columns=["x"], vocabulary=(1, BIG + 1), dtype="int64")
RAGGED = si.RaggedInput("n", column="x", dtype="int64", null_items=0)


@pytest.mark.parametrize("number", [BIG - 1, 1 - BIG, 0, 7])
def test_integers_beside_a_null_come_back(number: int) -> None:
    found = declared(pa.array([float(number), None]), SCALAR)
    assert found.equals(pa.array([number, None]))


@pytest.mark.parametrize("item", [SCALAR, IDS], ids=["numbers", "vocabulary"])
@pytest.mark.parametrize("number", [BIG, -BIG, 2**60 + 8])
def test_integers_that_a_float_does_not_tell_apart_are_refused(number: int, item: Any) -> None:
    with pytest.raises(SignatureError, match=r"'x' holds integers of 2\^53 and more"):
        declared(pa.array([float(number), None]), item)
    # Where no null is beside them they have never been floats.
    assert declared(pa.array([number]), item).equals(pa.array([number]))


def test_they_are_found_in_arrays_and_structs() -> None:
    with pytest.raises(SignatureError, match=r"2\^53"):
        declared(pa.array([[1.0, None], None, [float(BIG)]]), RAGGED)
    with pytest.raises(SignatureError, match=r"2\^53"):
        declared(pa.array([[{"a": None}, {"a": -float(BIG)}]]), RAGGED)


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), 0.5])
def test_what_is_no_integer_is_left_to_the_casts(odd: float) -> None:
    values = pa.array([odd, None])
    assert declared(values, SCALAR) is values or declared(values, SCALAR).null_count


HALF = 2.0**54 + 2.0**30
FLOAT = si.ScalarInput("n", columns=[si.Column("x", nulls=0)], dtype="float32")
RAGGED_FLOAT = si.RaggedInput("n", column="x", fields=["a"])


@pytest.mark.parametrize("number", [HALF, -HALF, 2.0**53 + 2.0**29, 2.0**62 + 2.0**38])
def test_integers_that_would_be_rounded_twice_are_refused(number: float) -> None:
    with pytest.raises(SignatureError, match=r"'x' holds a number of 2\^53.*CAST\(column AS FLOAT"):
        declared(pa.array([number, None]), FLOAT)
    with pytest.raises(SignatureError, match=r"'x' holds a number of 2\^53"):
        declared(pa.array([[1.0, None], None, [number]]), si.RaggedInput("n", column="x"))
    with pytest.raises(SignatureError, match=r"'x' holds a number of 2\^53"):
        declared(pa.array([[{"a": None}, {"a": number}]]), RAGGED_FLOAT)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([HALF]),
        pa.array([[HALF], None]),
        pa.array([HALF + 4, None]),
        pa.array([2.0**54, 2.0**54 + 2.0**31, None]),
        pa.array([2.0**52 + 2.0**28, 0.1, None]),
        pa.array([2.0**70 + 2.0**46, None]),
        pa.array([float("inf"), float("nan"), None]),
        pa.array([int(HALF) + 1]),
        pa.array([HALF, None], pa.float32()),
    ],
    ids=str,
)
def test_floats_that_are_rounded_once_are_kept(values: pa.Array) -> None:
    assert declared(values, FLOAT) is values


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_float64_is_the_nearest_to_the_integer_that_it_was(dtype: str) -> None:
    values = pa.array([HALF, None])
    item = si.ScalarInput("n", columns=[si.Column("x", nulls=0)], dtype=dtype)
    assert declared(values, item) is values


def test_a_frame_is_a_column_of_structs() -> None:
    frame = pd.DataFrame({"u": [1, 2], "v": ["a", None]}, index=[7, 9])
    batch = from_pandas([frame], ["x"], {})
    assert batch.column(0).to_pylist() == [{"u": 1, "v": "a"}, {"u": 2, "v": None}]


@pytest.mark.parametrize(
    "column",
    [pd.Series([object()]), pd.Series([[object()]]), pd.DataFrame({"u": [object()]})],
    ids=["values", "items", "fields"],
)
def test_objects_that_arrow_does_not_know_are_refused(column: Any) -> None:
    with pytest.raises(SignatureError, match="'x' holds what no tensor is made of"):
        from_pandas([column], ["x"], {})
