from __future__ import annotations

import dataclasses

import pytest

from spark_infer.errors import ConfigError
from spark_infer.model import BatchOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number or 'auto', got 1.5"),
        ({"batch_size": True}, "batch_size must be a whole number or 'auto', got True"),
        ({"batch_size": "64"}, "batch_size must be a whole number or 'auto', got '64'"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"pad_multiple": 0}, "pad_multiple must be at least 1, got 0"),
        ({"pad_multiple": 2**31}, "pad_multiple must be at most 2,147,483,647, got 2147483648"),
        ({"pad_multiple": 2**63 - 1}, "pad_multiple must be at most 2,147,483,647"),
        ({"bucket_edges": (8, 2**63 - 1)}, "bucket_edges must be at most 2,147,483,647"),
        ({"bucket_edges": (9, 8) * 9999}, r"must ascend, got \[9, 8, 9, 8, 9, 8, \.\.\.\]"),
        ({"until": float("nan")}, "until must be a time in seconds since 1970, or None, got nan"),
        ({"bucket_edges": (8, 8)}, r"bucket_edges must ascend, got \[8, 8\]"),
        ({"bucket_edges": (0, 8)}, "bucket_edges must be at least 1, got 0"),
        ({"window_rows": 0}, "window_rows must be at least 1, got 0"),
        ({"window_bytes": 2.5}, "window_bytes must be a whole number, got 2.5"),
        ({"on_error": "skip"}, "on_error 'skip' is unknown; use 'reject' or 'fail'"),
        ({"max_rejected_share": 1.5}, "max_rejected_share must be between 0 and 1, got 1.5"),
        ({"max_rejected_share": True}, "max_rejected_share must be between 0 and 1, got True"),
        ({"max_bisections": -1}, "max_bisections must be at least 0, got -1"),
        ({"cache_bytes": -1}, "cache_bytes must be at least 0, got -1"),
        ({"dedupe": "yes"}, "dedupe must be true, false or 'auto', got 'yes'"),
        ({"overlap": None}, "overlap must be true, false or 'auto', got None"),
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
    assert (options.batch_size, options.device, options.precision) == ("auto", "cpu", "float32")


def test_zero_and_false_are_values() -> None:
    options = BatchOptions(cache_bytes=0, max_bisections=0, max_rejected_share=0, dedupe=False)
    assert (options.cache_bytes, options.max_bisections, options.dedupe) == (0, 0, False)
