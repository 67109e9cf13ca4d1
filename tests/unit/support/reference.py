"""What the decoder must return, value by value in plain Python, from the rules of the signature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput

Kinds = Mapping[str, str]
"""Kind (``layouts.TYPES``) of the leaves below each column."""

_TICKS = {"seconds": 1, "millis": 10**3, "micros": 10**6, "nanos": 10**9}


@dataclass(frozen=True)
class Row:
    """One row of an input: nested lists, and why it is rejected, if it is."""

    values: Any
    present: Any
    reason: str | None


def rows_of(item: Input, columns: Mapping[str, Sequence[Any]], kinds: Kinds) -> list[Row]:
    """Return the expected row of an input for each row of its columns."""
    if isinstance(item, ScalarInput):
        cells = zip(*(columns[name] for name in item.column_names), strict=True)
        return [_scalar(item, row, kinds) for row in cells]
    if isinstance(item, ArrayInput):
        return [_array(item, value, kinds[item.column]) for value in columns[item.column]]
    assert isinstance(item, RaggedInput)
    return [_ragged(item, value, kinds[item.column]) for value in columns[item.column]]


def tensors_of(item: Input, rows: Sequence[Row]) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors that the model must get for rows that are not rejected."""
    values, present = [row.values for row in rows], [row.present for row in rows]
    if isinstance(item, RaggedInput):
        return _padded(item, values, present)
    shape = (len(rows), *item.item_shape)
    tensors = {item.name: _array_of(values, item.dtype, shape)}
    if item.presence:
        tensors[f"{item.name}_present"] = _array_of(present, "bool", shape)
    return tensors


def _padded(item: RaggedInput, values: list[Any], present: list[Any]) -> dict[str, Any]:
    longest = max([1, *(len(value) for value in values)])
    shape = (len(values), longest, *item.item_shape)
    pad, absent = _full(item.item_shape, item.pad_value), _full(item.item_shape, False)
    tensors = {item.name: _array_of([_fill(v, longest, pad) for v in values], item.dtype, shape)}
    if item.mask:
        mask = [[position < len(value) for position in range(longest)] for value in values]
        tensors[f"{item.name}_mask"] = _array_of(mask, "bool", shape[:2])
    if item.presence:
        filled = [_fill(value, longest, absent) for value in present]
        tensors[f"{item.name}_present"] = _array_of(filled, "bool", shape)
    return tensors


def _fill(values: list[Any], longest: int, pad: Any) -> list[Any]:
    return values + [pad] * (longest - len(values))


def _array_of(values: list[Any], dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        return np.array(values, dtype).reshape(shape)


def _scalar(item: ScalarInput, row: Sequence[Any], kinds: Kinds) -> Row:
    values, reason = [], None
    for column, cell in zip(item.source_columns, row, strict=True):
        if cell is None and column.nulls == "reject":
            reason = reason or f"column {column.name!r} is null"
        values.append(_resolve(cell, column.nulls, item, kinds[column.name]))
    return Row(values, [cell is not None for cell in row], reason)


def _array(item: ArrayInput, value: Any, kind: str) -> Row:
    if value is None:
        reason = f"column {item.column!r} is null" if item.nulls == "reject" else None
        filled = _full(item.item_shape, _resolve(None, item.nulls, item, kind))
        return Row(filled, _full(item.item_shape, False), reason)
    if not _has_shape(value, item.item_shape):
        return Row([], [], f"column {item.column!r} is not of shape {list(item.shape)}")
    return _items(item, value, kind)


def _ragged(item: RaggedInput, value: Any, kind: str) -> Row:
    if value is None:
        reason = f"column {item.column!r} is null" if item.nulls == "reject" else None
        return Row([], [], reason)
    limit = len(value) if item.max_length is None else item.max_length
    if len(value) > limit and item.overflow == "reject":
        return Row([], [], f"column {item.column!r} is longer than {item.max_length}")
    start = max(0, len(value) - limit) if item.overflow == "keep_last" else 0
    kept = value[start : start + limit]
    if not all(_has_shape(inner, item.shape) for inner in kept):
        shape = list(item.shape)
        return Row([], [], f"column {item.column!r} holds an array that is not of shape {shape}")
    if item.fields:
        kept = [[None if v is None else v[field] for field in item.fields] for v in kept]
    return _items(item, kept, kind)


def _has_shape(value: Any, shape: Sequence[int]) -> bool:
    if not shape:
        return True
    inner = shape[1:]
    return value is not None and len(value) == shape[0] and all(_has_shape(v, inner) for v in value)


def _items(item: ArrayInput | RaggedInput, values: list[Any], kind: str) -> Row:
    present = _map(values, lambda cell: cell is not None)
    rejected = item.null_items == "reject" and not _all(present)
    reason = f"column {item.column!r} holds a null" if rejected else None
    return Row(
        _map(values, lambda cell: _resolve(cell, item.null_items, item, kind)), present, reason
    )


def _resolve(cell: Any, rule: object, item: Input, kind: str) -> Any:
    if cell is None:
        return {"reject": 0, "nan": math.nan}.get(rule, rule) if isinstance(rule, str) else rule
    if item.vocabulary is not None:
        words: tuple[Any, ...] = item.vocabulary
        return words.index(cell) if cell in words else item.unknown_id
    if kind in _TICKS:
        exact = item.dtype.startswith("float")
        return cell / _TICKS[kind] if exact else cell // _TICKS[kind]
    return float(cell) if kind == "decimal" else cell


def _map(values: Any, function: Any) -> Any:
    return [_map(v, function) for v in values] if isinstance(values, list) else function(values)


def _all(values: Any) -> bool:
    return all(map(_all, values)) if isinstance(values, list) else bool(values)


def _full(shape: Sequence[int], value: Any) -> Any:
    return [_full(shape[1:], value) for _ in range(shape[0])] if shape else value
