from __future__ import annotations

from typing import Any

import pytest

from spark_infer.backends import ModelOptions
from spark_infer.errors import ConfigError


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:12"])
@pytest.mark.parametrize("threads", [None, 1, 64])
def test_options_that_are(precision: Any, device: str, threads: int | None) -> None:
    options = ModelOptions(precision=precision, device=device, threads=threads)
    assert hash(options) == hash(ModelOptions(precision=precision, device=device, threads=threads))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp16"}, r"precision 'fp16' is unknown; use one of \['float32'"),
        ({"precision": None}, "precision None is unknown"),
        ({"device": "gpu"}, "device must be 'cpu', 'cuda' or 'cuda:0', got 'gpu'"),
        ({"device": "cuda:"}, "device must be"),
        ({"device": 0}, "device must be .* got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"threads": 4097}, "threads must be at most 4,096, got 4097"),
        ({"threads": 2**31}, "threads must be at most 4,096, got 2147483648"),
        ({"threads": 10**5000}, "threads must be at most 4,096, got <int>"),
        ({"threads": "2"}, "threads must be a whole number, got '2'"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelOptions(**options)
