from __future__ import annotations

import dataclasses

import pytest

from spark_infer.engine import BatchOptions
from spark_infer.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number, got 1.5"),
        ({"batch_size": True}, "batch_size must be a whole number, got True"),
        ({"batch_size": "64"}, "batch_size must be a whole number, got '64'"),
        ({"precision": "int8"}, r"precision 'int8' is unknown; use one of \['float32', 'bfloat16'"),
    ],
)
def test_mistakes_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BatchOptions(**options)


def test_options_never_change() -> None:
    options = BatchOptions()
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.batch_size = 1
    assert (options.batch_size, options.device, options.precision) == (4096, "cpu", "float32")
