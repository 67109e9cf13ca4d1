"""A decoder that runs the transforms of its signature."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import pyarrow as pa

from spark_infer.bundle import Signature
from spark_infer.tensors import Decoder, Transformed, Transformer
from spark_infer.transforms.find import find_transformer


def make_decoder(
    signature: Signature,
    packed: Collection[str] = (),
    *,
    spent: Callable[[float], None] | None = None,
) -> Decoder:
    """Return a decoder of a signature's columns.

    Args:
        signature: Inputs to read.
        packed: Names of scalar inputs that arrive as one list column.
        spent: Is told the seconds that each run of a transform took.

    Raises:
        RuntimeUnavailable: A library that a transform needs is not in this Python.
    """
    transformers = {
        item.name: _timed(find_transformer(item), spent)
        for item in signature.inputs
        if item.transform is not None
    }
    return Decoder(signature, packed, transformers)


def _timed(transformer: Transformer, spent: Callable[[float], None] | None) -> Transformer:
    if spent is None:
        return transformer

    def run(values: pa.Array) -> Transformed:
        start = time.perf_counter()
        try:
            return transformer(values)
        finally:
            spent(time.perf_counter() - start)

    return run
