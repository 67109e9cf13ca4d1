"""Arrow columns as plain numbers, for whoever counts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def is_number(kind: pa.DataType) -> bool:
    """Return whether values of a type are numbers or truth values."""
    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def as_numbers(column: pa.Array | pa.ChunkedArray, dtype: str) -> tuple[Numbers, Flags]:
    """Return a column's values as a tensor of ``dtype`` holds them, and which of them are null.

    A float32 is the double that equals it, so that a table of doubles counts as the model's
    tensor does.

    Args:
        column: A column of ``is_number``.
        dtype: NumPy name of the tensor's type.

    Returns:
        Values of shape (rows,), NaN in the place of nulls; and whether each is null.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    doubles = pc.cast(column, pa.float64(), safe=False)
    is_null: Flags = doubles.is_null().to_numpy(zero_copy_only=False)
    values = np.array(doubles.to_numpy(zero_copy_only=False), np.float64)
    if dtype.startswith("float"):
        with np.errstate(over="ignore", under="ignore"):
            values = values.astype(dtype).astype(np.float64)
    return values, is_null
