"""The model's output arrays to prediction columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_infer.bundle import Output
from spark_infer.errors import PredictionError
from spark_infer.tensors.arrow.leaves import Array, BoolArray, Rows
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.arrow.schema import output_type


def check_output(array: Array, output: Output, rows: int, longest: int | None) -> Array:
    """Return the model's array for one batch in the output's dtype and shape.

    Args:
        array: What the model returned.
        output: What the signature promises.
        rows: Rows in the batch.
        longest: Padded length of the batch for an output that follows a ragged input.

    Raises:
        PredictionError: Another number of rows, another shape or another kind of dtype, or an
            integer that does not fit.
    """
    expected = (rows, *(() if longest is None else (longest,)), *output.tensor_shape)
    if array.shape == (*expected, 1):
        array = array[..., 0]
    if array.shape != expected:
        raise PredictionError(
            f"output {output.name!r}: the model returned shape {array.shape}, the signature "
            f"promises {expected} for {rows} rows; correct the signature or the model"
        )
    dtype = np.dtype(output.dtype)
    if array.dtype != dtype and not _same_kind(array.dtype, dtype):
        raise PredictionError(
            f"output {output.name!r}: the model returned {array.dtype}, the signature promises "
            f"{output.dtype}; correct the signature or the model"
        )
    if dtype.kind in "iu" and not np.can_cast(array.dtype, dtype):
        _check_range(array, output)
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def _check_range(array: Array, output: Output) -> None:
    limits = np.iinfo(output.dtype)
    for value in (int(array.min(initial=0)), int(array.max(initial=0))):
        if not int(limits.min) <= value <= int(limits.max):
            raise PredictionError(
                f"output {output.name!r}: the model returned {value}, which does not fit "
                f"{output.dtype}; correct the signature or the model"
            )


def cut(array: Array, lengths: Lengths) -> Array:
    """Return a padded (rows, longest, ...) array's real values end to end."""
    mask = np.arange(array.shape[1]) < lengths[:, None]
    return array[mask]


def encode(
    output: Output, parts: Sequence[Array], accepted: Rows, num_rows: int, lengths: Lengths | None
) -> pa.Array:
    """Build a prediction column.

    Args:
        output: The output.
        parts: Arrays of the batches, in row order; real values end to end for a ragged output.
        accepted: Positions of the rows that were predicted; the others become null.
        num_rows: Rows of the record batch.
        lengths: True length of each predicted row, for a ragged output.
    """
    values = _join(parts, output)
    valid = _valid(accepted, num_rows)
    if output.lengths_of is None:
        return _column(values, output, valid, accepted)
    assert lengths is not None
    sizes = np.zeros(num_rows, np.int64)
    sizes[accepted] = lengths
    inner = _column(values, output, None, slice(None))
    return _list(sizes, inner, valid, output_type(output))


def _join(parts: Sequence[Array], output: Output) -> Array:
    if not parts:
        return np.zeros((0, *output.tensor_shape), output.dtype)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _valid(accepted: Rows, num_rows: int) -> BoolArray | None:
    if isinstance(accepted, slice):
        return None
    valid = np.zeros(num_rows, np.bool_)
    valid[accepted] = True
    return valid


def _column(values: Array, output: Output, valid: BoolArray | None, accepted: Rows) -> pa.Array:
    kind = output_type(output)
    if output.lengths_of is not None:
        kind = kind.value_type
    if valid is not None:
        spread = np.zeros((len(valid), *values.shape[1:]), values.dtype)
        spread[accepted] = values
        values = spread
    if output.labels is not None:
        return _labels(values, output, valid)
    for _ in output.shape:
        kind = kind.value_type
    missing = None if valid is None or output.shape else ~valid
    flat = np.ascontiguousarray(values).reshape(-1)
    column = pa.array(flat.astype(kind.to_pandas_dtype(), copy=False), mask=missing)
    for level in reversed(range(len(output.shape))):
        rows = int(np.prod(values.shape[: level + 1]))
        sizes = np.full(rows, output.shape[level], np.int64)
        outer = valid if level == 0 else None
        column = _list(sizes, column, outer, pa.list_(column.type))
    return column


def _list(sizes: Lengths, values: pa.Array, valid: BoolArray | None, kind: pa.DataType) -> pa.Array:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    if offsets[-1] > np.iinfo(np.int32).max:
        raise PredictionError(
            f"{int(offsets[-1])} predicted values in one record batch do not fit a list column; "
            "lower spark.sql.execution.arrow.maxRecordsPerBatch"
        )
    mask = None if valid is None else pa.array(~valid)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, kind, mask=mask)


def _labels(values: Array, output: Output, valid: BoolArray | None) -> pa.Array:
    assert output.labels is not None
    ids: npt.NDArray[Any] = values.argmax(axis=-1) if values.dtype.kind == "f" else values
    if len(ids) and (int(ids.min()) < 0 or int(ids.max()) >= len(output.labels)):
        worst = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
        raise PredictionError(
            f"output {output.name!r}: the model returned label id {worst}, there are "
            f"{len(output.labels)} labels"
        )
    words = pa.array(output.labels, pa.string())
    return words.take(pa.array(ids, mask=None if valid is None else ~valid))


def _same_kind(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    return given.kind == wanted.kind or {given.kind, wanted.kind} <= {"i", "u"}


def is_finite(array: Array, lengths: Lengths | None) -> BoolArray:
    """Return for each row whether its values are finite, padding aside.

    Args:
        array: Shape (rows, ...), or (rows, longest, ...) with ``lengths``.
        lengths: True length of each row of an output that follows a ragged input.
    """
    finite = np.isfinite(array)
    if lengths is not None:
        padding = np.arange(array.shape[1]) >= lengths[:, None]
        padding = padding.reshape(*padding.shape, *[1] * (array.ndim - 2))
        finite = np.logical_or(finite, padding)
    return np.asarray(finite.reshape(len(array), -1).all(axis=1), np.bool_)
