from __future__ import annotations

from typing import Any

import pytest

from spark_infer.bundle import Output
from spark_infer.errors import SignatureError


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, ()),
        ({"shape": [2, 3]}, (2, 3)),
        ({"labels": ["a", "b", "c"]}, (3,)),
        ({"labels": ["a", "b", "c"], "dtype": "int64"}, ()),
    ],
)
def test_the_tensor_of_one_row(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert Output("y", **options).tensor_shape == shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "an output must have a non-empty name"),
        ({"dtype": "double"}, "output 'y': dtype 'double' is unknown; use one of"),
        ({"shape": [0]}, "output 'y': shape must be positive integers"),
        ({"shape": [9] * 31}, "output 'y': shape has 31 dimensions, more than 30"),
        ({"shape": [10**4000] * 100_000}, "output 'y': shape has 100,000 dimensions"),
        ({"shape": [2**31]}, "holds more than 2,147,483,647 values"),
        ({"shape": [2**16, 2**15]}, "holds more than 2,147,483,647 values"),
        ({"shape": [1, 10**5000]}, "holds more than 2,147,483,647 values"),
        ({"labels": []}, "labels must be a non-empty list of strings"),
        ({"labels": ["a", 1]}, "labels must be a non-empty list of strings"),
        ({"labels": "ab"}, "labels must be a non-empty list of strings"),
        ({"labels": ["a", "\udfff"]}, r"output 'y': label '\\udfff' is no text"),
        ({"labels": 5}, "labels must be a list, got 5"),
        ({"labels": {"a", "b"}}, "labels must be a list, got {"),
        ({"labels": {"a": 0}}, "labels must be a list, got {'a': 0}"),
        ({"shape": 5}, "output 'y': shape must be a list, got 5"),
        ({"shape": [True]}, "shape must be positive integers"),
        ({"shape": None}, "shape must be a list, got None"),
        ({"name": 5}, "an output must have a non-empty name, got 5"),
        ({"dtype": None}, "output 'y': dtype must be a valid string, got None"),
        ({"finite": "no"}, "finite must be a valid boolean, got 'no'"),
        ({"lengths_of": 5}, "lengths_of must be a valid string, got 5"),
        ({"labels": ["a"], "shape": [1]}, r"labels need shape \(\), got \(1,\)"),
        ({"labels": ["a"], "dtype": "bool"}, "labels need integer ids or float scores, not bool"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        Output(**{"name": "y"} | options)
