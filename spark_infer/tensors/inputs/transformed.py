"""Columns as transforms make them: for a whole window, or batch by batch where values are large."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_infer.bundle import Input
from spark_infer.tensors.arrow.leaves import Array, plain
from spark_infer.tensors.arrow.lists import as_lists, flatten
from spark_infer.tensors.buckets import EXACT, PadRule
from spark_infer.tensors.rejects import Rejects
from spark_infer.tensors.rows import BoolArray, Rows


@dataclass(frozen=True)
class Transformed:
    """What a transform made of some values.

    Attributes:
        values: As many; null where the value was null, or could not be transformed.
        failed: Why some values could not be: for each reason their flags, shape (values,).
    """

    values: pa.Array
    failed: Mapping[str, BoolArray] = field(default_factory=dict)


Transformer = Callable[[pa.Array], Transformed]
"""What runs a transform on a flat array of the type that it takes; nulls are among the values."""


class TransformFailed(Exception):
    """Values of a batch could not be transformed: its rows are at fault, not the model."""


class _Reads(Protocol):
    """What reads the tensors of rows whose column is transformed."""

    def tensors(self, item: Input, rows: Rows, pad: PadRule = EXACT) -> dict[str, Array]: ...


@dataclass(frozen=True)
class Deferred:
    """All rows of an input of one shape whose values are made when a batch needs them.

    Attributes:
        column: The values as they came.
        read: Transforms some of them and reads what comes of it.
    """

    column: pa.Array
    read: Callable[[pa.Array, Rejects], _Reads]
    lengths: ClassVar[None] = None
    """Rows of one shape have none."""

    def tensors(self, item: Input, rows: Rows, pad: PadRule = EXACT) -> dict[str, Array]:
        """Return the model's tensors for some rows.

        Raises:
            TransformFailed: A value cannot be transformed.
        """
        rejects = Rejects(len(rows))
        data = self.read(self.values(rows), rejects)
        if rejects.count:
            raise TransformFailed(next(filter(None, rejects.reasons().to_pylist())))
        return data.tensors(item, Rows.run(0, len(rows)), pad)

    def values(self, rows: Rows) -> pa.Array:
        """Return the values of some rows as they came."""
        index = rows.index
        if isinstance(index, slice):
            return self.column.slice(index.start, len(rows))
        return self.column.take(pa.array(index))


def transformed(
    column: pa.Array, levels: int, name: str, transformer: Transformer, rejects: Rejects
) -> pa.Array:
    """Transform the values of a column, and reject the rows of those that cannot be.

    Args:
        column: The column.
        levels: How many levels of lists lie around its values.
        name: What it is called.
        transformer: What transforms the values.
        rejects: Where rows are rejected.
    """
    found = _transformed(plain(column), levels, transformer)
    for reason, rows in found.failed.items():
        rejects.add(rows, f"column {name!r}: {reason}")
    return found.values


def _transformed(column: pa.Array, levels: int, transformer: Transformer) -> Transformed:
    if pat.is_null(column.type):
        return Transformed(column)
    if levels == 0:
        return transformer(column)
    flat = flatten(column)
    inner = _transformed(flat.values, levels - 1, transformer)
    lists = as_lists(flat.lengths, inner.values, flat.valid)
    return Transformed(lists, {reason: flat.any(flags) for reason, flags in inner.failed.items()})


def null_rows(column: pa.Array) -> BoolArray:
    """Return where a column is null, shape (rows,)."""
    nulls: BoolArray = pc.is_null(column).to_numpy(zero_copy_only=False)
    return nulls
