"""Predictions are compared as the bundle's proof compares them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pyspark")

import spark_infer as si
from spark_infer.warehouse.history.compare import differences, plain

NAN, INF = float("nan"), float("inf")


def apart(output: si.Output, one: Any, other: Any) -> list[str]:
    return differences([output], {output.name: one}, {output.name: other}, 1e-3)


@pytest.mark.parametrize(
    ("output", "one", "other"),
    [
        (si.Output("y"), 1000.0, 1000.9),
        (si.Output("y"), 0.0, 0.0004),
        (si.Output("y"), NAN, NAN),
        (si.Output("y"), INF, INF),
        (si.Output("y", dtype="int64"), 2**60, 2**60),
        (si.Output("y", dtype="bool"), True, True),
        (si.Output("y", labels=["a", "b"], dtype="int64"), "a", "a"),
        (si.Output("y", shape=(2,)), [1.0, 2.0], [1.0004, 2.0]),
        (si.Output("y", lengths_of="w"), [], []),
        (si.Output("y", lengths_of="w", shape=(2,)), [[1.0, 2.0]], [[1.0, 2.0]]),
        (si.Output("y"), None, None),
    ],
)
def test_the_same(output: si.Output, one: Any, other: Any) -> None:
    assert apart(output, one, other) == []


@pytest.mark.parametrize(
    ("output", "one", "other", "said"),
    [
        (si.Output("y"), 1000.0, 1003.0, "y is 1003 and was 1000"),
        (si.Output("y"), 0.0, 0.01, "y is 0.01 and was 0"),
        (si.Output("y"), 1.0, NAN, "y is nan and was 1"),
        (si.Output("y"), INF, -INF, "y is -inf and was inf"),
        (si.Output("y"), 1.0, None, "y is None and was 1.0"),
        (si.Output("y", dtype="int64"), 7, 8, "y is 8 and was 7"),
        (si.Output("y", dtype="bool"), True, False, "y is 0 and was 1"),
        (si.Output("y", labels=["a", "b"], dtype="int64"), "a", "b", "y is b and was a"),
        (si.Output("y", shape=(2,)), [1.0, 2.0], [1.0, 3.0], "y is 3 and was 2"),
        (si.Output("y", lengths_of="w"), [1.0], [1.0, 2.0], "y has shape (2,) and had (1,)"),
    ],
)
def test_another_one(output: si.Output, one: Any, other: Any, said: str) -> None:
    assert apart(output, one, other) == [said]


def test_each_output_is_told() -> None:
    outputs = [si.Output("y"), si.Output("z")]
    found = differences(outputs, {"y": 1.0, "z": 2.0}, {"y": 2.0, "z": 4.0}, 1e-3)
    assert found == ["y is 2 and was 1", "z is 4 and was 2"]


def test_values_are_json_data() -> None:
    assert plain([1.0, NAN, [INF]]) == [1.0, "nan", ["inf"]]
    assert plain(b"x") == "b'x'"
    assert plain(None) is None
