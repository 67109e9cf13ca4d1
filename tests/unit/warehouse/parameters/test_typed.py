"""Typed parameters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.warehouse.config import ParameterConfig
from spark_infer.warehouse.parameters.typed import bind_parameters


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "a b", "a b"),
        ("string", 7, "7"),
        ("int", "0", 0),
        ("float", "0.5", 0.5),
        ("bool", "false", False),
        ("bool", True, True),
        ("date", "2018-08-08", dt.date(2018, 8, 8)),
        ("date", dt.date(2018, 8, 8), dt.date(2018, 8, 8)),
        ("timestamp", "2018-08-08T04:00:00Z", dt.datetime(2018, 8, 8, 4, tzinfo=dt.timezone.utc)),
    ],
)
def test_values_get_their_type(kind: Any, given: Any, value: Any) -> None:
    bound = bind_parameters({"p": ParameterConfig(type=kind)}, {"p": given})
    assert bound == {"p": value}
    assert type(bound["p"]) is type(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [("int", "1.5"), ("float", "x"), ("bool", "maybe"), ("date", "2018-8-40"), ("date", "today")],
)
def test_a_wrong_value_is_named(kind: Any, given: str) -> None:
    with pytest.raises(ConfigError, match=f"parameter 'p' must be a {kind} such as .*{given}"):
        bind_parameters({"p": ParameterConfig(type=kind)}, {"p": given})


def test_defaults_and_what_is_missing() -> None:
    declared = {"days": ParameterConfig(type="int", default=0)}
    assert bind_parameters(declared, {}) == {"days": 0}
    declared = {"date": ParameterConfig(type="date", description="the day to score")}
    with pytest.raises(ConfigError, match=r"'date' \(the day to score\) is not given; pass --set"):
        bind_parameters(declared, {})


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no parameter 'dat'; did you mean 'date'\?"):
        bind_parameters({"date": ParameterConfig(type="date")}, {"dat": "2018-08-08"})
