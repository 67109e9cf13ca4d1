"""The model's output arrays to prediction columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_infer.bundle import Output
from spark_infer.errors import PredictionError
from spark_infer.tensors.arrow.leaves import Array
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.arrow.schema import output_type
from spark_infer.tensors.rows import BoolArray, Rows


def check_output(array: Array, output: Output, rows: int, longest: int | None) -> Array:
    """Return the model's array for one batch in the output's shape.

    Args:
        array: What the model returned.
        output: What the signature promises.
        rows: Rows in the batch.
        longest: Padded length of the batch for an output that follows a ragged input.

    Raises:
        PredictionError: Another number of rows, another shape or another kind of dtype.
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
    return array


def unfit_rows(array: Array, output: Output, lengths: Lengths | None) -> dict[str, BoolArray]:
    """Return the rows of which no prediction can be made, shape (rows,), by what is wrong.

    A number that the column cannot hold would become another one, and a NaN among the scores of
    labels would win as the first label does, as
    would one of several infinite scores, whose order is lost: such rows have no prediction.

    Args:
        array: What ``check_output`` returned.
        output: The output.
        lengths: True length of each row of an output that follows a ragged input.
    """
    found = {}
    for what, values in _faults(array, output):
        if not values.any():
            continue
        if lengths is not None:
            real = np.arange(array.shape[1]) < lengths[:, None]
            values = values & real.reshape(*real.shape, *[1] * (array.ndim - 2))
        rows = np.asarray(values.reshape(len(array), -1).any(axis=1))
        if rows.any():
            found[what] = rows
    return found


def _faults(array: Array, output: Output) -> Iterator[tuple[str, BoolArray]]:
    """Yield what may be wrong with single values, and where it is."""
    dtype = np.dtype(output.dtype)
    if dtype.kind in "iu":
        if not np.can_cast(array.dtype, dtype):
            info = np.iinfo(dtype)
            yield f"does not fit {dtype}", (array < info.min) | (array > info.max)
        if output.labels is not None:
            yield "is no label's id", (array < 0) | (array >= len(output.labels))
    elif dtype.kind == "f":
        if output.finite:
            yield "is NaN or infinite", ~np.isfinite(array)
        elif output.labels is not None:
            yield "is NaN, which chooses no label", np.isnan(array)
            most = array.max(axis=-1, keepdims=True)
            several = (array == most).sum(axis=-1, keepdims=True) > 1
            yield "is infinite for several labels, which chooses none", np.isinf(most) & several
        if output.labels is None and not np.can_cast(array.dtype, dtype):
            most = np.finfo(dtype).max
            yield f"is too large for {dtype}", np.isfinite(array) & (np.abs(array) > most)


def kept(array: Array, output: Output) -> Array:
    """Return an array in the output's type, and scores of labels as they are.

    Scores that differ may be one number in a narrower type, and the first label would win.
    """
    if output.labels is not None and array.dtype.kind == "f":
        return array
    return array.astype(output.dtype, copy=False)


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
        accepted: The rows that were predicted; the others become null.
        num_rows: Rows of the record batch.
        lengths: True length of each predicted row, for a ragged output.
    """
    values = _join(parts, output)
    valid = _valid(accepted, num_rows)
    if output.lengths_of is None:
        return _column(values, output, valid, accepted)
    assert lengths is not None
    sizes = np.zeros(num_rows, np.int64)
    sizes[accepted.index] = lengths
    inner = _column(values, output, None, Rows.run(0, len(values)))
    return _list(sizes, inner, valid, output_type(output))


def _join(parts: Sequence[Array], output: Output) -> Array:
    if not parts:
        return np.zeros((0, *output.tensor_shape), output.dtype)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _valid(accepted: Rows, num_rows: int) -> BoolArray | None:
    if accepted.is_run:
        return None
    valid = np.zeros(num_rows, np.bool_)
    valid[accepted.index] = True
    return valid


def _column(values: Array, output: Output, valid: BoolArray | None, accepted: Rows) -> pa.Array:
    kind = output_type(output)
    if output.lengths_of is not None:
        kind = kind.value_type
    if valid is not None:
        spread = np.zeros((len(valid), *values.shape[1:]), values.dtype)
        spread[accepted.index] = values
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
    words = pa.array(output.labels, pa.string())
    return words.take(pa.array(ids, mask=None if valid is None else ~valid))


def _same_kind(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    return given.kind == wanted.kind or {given.kind, wanted.kind} <= {"i", "u"}
