"""The transforms in one table. What a transform needs is imported when one is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from spark_infer.bundle import Input, Transform
from spark_infer.errors import missing_library
from spark_infer.tensors import Transformer

_HOMES = {
    "hash_buckets": "spark_infer.transforms.hash_buckets",
    "raw_bytes": "spark_infer.transforms.raw_bytes",
    "tokenize": "spark_infer.transforms.tokenize",
}
"""The module of each transform, by its name in a manifest.

It has ``transformer(transform, item)``, which returns what runs it on the values of an input, and
``examples(transform, item, numbers)``, values of which it makes something like ``numbers``.
"""


def find_transformer(item: Input) -> Transformer:
    """Return what runs an input's transform.

    Raises:
        RuntimeUnavailable: A library that it needs is not in this Python.
    """
    transform = _of(item)
    found: Transformer = _home(transform).transformer(transform, item)
    return found


def examples_of(item: Input, numbers: Sequence[Any] | npt.NDArray[Any]) -> pa.Array:
    """Return values for an input's transform.

    Args:
        item: The input.
        numbers: What the transform should make of each, as far as it can: a number, or an array
            where it makes arrays.

    Raises:
        RuntimeUnavailable: A library that it needs is not in this Python.
    """
    transform = _of(item)
    return _home(transform).examples(transform, item, numbers)


def _of(item: Input) -> Transform:
    assert item.transform is not None, item.name
    return item.transform


def _home(transform: Transform) -> Any:
    try:
        return importlib.import_module(_HOMES[transform.kind])
    except ModuleNotFoundError as error:
        raise missing_library(error) from None
