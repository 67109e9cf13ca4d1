"""Binary values to arrays of numbers that lie in them end to end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_infer.bundle import Input, RaggedInput, RawBytes
from spark_infer.tensors import Transformed, Transformer, arrow_dtype
from spark_infer.tensors.arrow.lists import as_lists


def transformer(transform: RawBytes, item: Input) -> Transformer:
    """Return what makes arrays of the values of an input.

    For an ArrayInput a value has the bytes of one array of its shape, for a RaggedInput those of
    any number of positions.
    """
    dtype = np.dtype(item.dtype).newbyteorder("<")
    shape = item.item_shape
    size = math.prod(shape)
    num_bytes = size * dtype.itemsize
    is_ragged = isinstance(item, RaggedInput)
    wanted = f"{'a multiple of ' if is_ragged else ''}{num_bytes}"
    reason = f"transform 'raw_bytes' needs values of {wanted} bytes, {item.dtype} of {list(shape)}"

    def run(values: pa.Array) -> Transformed:
        values = values.cast(pa.large_binary())
        lengths = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
        nulls = pc.is_null(values).to_numpy(zero_copy_only=False)
        wrong = (lengths % num_bytes != 0) if is_ragged else (lengths != num_bytes)
        failed = wrong & ~nulls
        missing = nulls | failed
        lengths = np.where(missing, 0, lengths)
        whole = values.filter(pa.array(~missing)) if missing.any() else values
        numbers = np.frombuffer(_content(whole), dtype)
        numbers = numbers.astype(item.dtype, copy=not numbers.flags.aligned)
        flat: pa.Array = pa.array(numbers, arrow_dtype(item.dtype))
        for length in reversed(shape if is_ragged else shape[1:]):
            flat = pa.FixedSizeListArray.from_arrays(flat, length)
        items = lengths // num_bytes if is_ragged else np.where(missing, 0, shape[0])
        return Transformed(as_lists(items, flat, ~missing), {reason: failed})

    return run


def _content(values: pa.Array) -> pa.Buffer | bytes:
    """Return the bytes of values without nulls, which lie end to end."""
    if not len(values):
        return b""
    offsets = np.frombuffer(values.buffers()[1], np.int64)
    start, stop = offsets[values.offset], offsets[values.offset + len(values)]
    data = values.buffers()[2]
    return b"" if data is None else data.slice(int(start), int(stop - start))


def examples(transform: RawBytes, item: Input, numbers: Sequence[Any]) -> pa.Array:
    """Return the bytes of arrays."""
    dtype = np.dtype(item.dtype).newbyteorder("<")
    return pa.array([row.astype(dtype).tobytes() for row in numbers], pa.binary())
