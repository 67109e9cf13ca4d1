"""A record batch to the inputs' rows, ready to be cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput, Signature
from spark_infer.tensors.arrow.leaves import Array, plain
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.arrow.schema import check_schema, packed_name, wire_names
from spark_infer.tensors.buckets import EXACT, PadRule
from spark_infer.tensors.inputs import dense, ragged
from spark_infer.tensors.inputs.transformed import Deferred, Transformer, null_rows, transformed
from spark_infer.tensors.rejects import Rejects
from spark_infer.tensors.rows import Rows


class InputRows(Protocol):
    """All rows of one input."""

    @property
    def lengths(self) -> Lengths | None:
        """True length of each row, shape (rows,); None where rows have one shape."""
        ...

    def tensors(self, item: Any, rows: Rows, pad: PadRule = EXACT) -> dict[str, Array]:
        """Return the model's tensors for some rows of the input."""
        ...


Reader = Callable[[Sequence[pa.Array], Any, Rejects], InputRows]

READERS: dict[type[Input], Reader] = {
    ScalarInput: lambda columns, item, rejects: dense.from_columns(
        [plain(column) for column in columns], item, rejects
    ),
    ArrayInput: lambda columns, item, rejects: dense.from_arrays(columns[0], item, rejects),
    RaggedInput: lambda columns, item, rejects: ragged.from_lists(columns[0], item, rejects),
}
"""What reads the columns of each kind of input."""


@dataclass(frozen=True)
class Decoded:
    """A record batch's rows as arrays.

    Attributes:
        signature: What the rows were decoded by.
        inputs: Rows of each input, by the input's name.
        rejects: Rows that the null and overflow rules reject.
        num_rows: Number of rows of the record batch.
    """

    signature: Signature
    inputs: dict[str, InputRows]
    rejects: Rejects
    num_rows: int

    def tensors(self, rows: Rows, pad: PadRule = EXACT) -> dict[str, Array]:
        """Return the model's tensors for some rows, in the order in which it takes them."""
        tensors: dict[str, Array] = {}
        for item in self.signature.inputs:
            tensors |= self.inputs[item.name].tensors(item, rows, pad)
        return tensors

    @property
    def ragged(self) -> dict[str, Lengths]:
        """True length of each row of each ragged input, by the input's name."""
        found = {name: data.lengths for name, data in self.inputs.items()}
        return {name: lengths for name, lengths in found.items() if lengths is not None}

    def padded(self, rows: Rows, pad: PadRule = EXACT) -> list[Lengths]:
        """Return the padded length of each of some rows, for each ragged input."""
        return [
            pad.padded(rows.take(self.lengths(item.name)), item) for item in self.signature.ragged
        ]

    def longest(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """Return the padded length of each ragged input of a batch's tensors, by its name."""
        return {i.name: tensors[i.tensor_name].shape[1] for i in self.signature.ragged}

    def lengths(self, name: str) -> Lengths:
        """Return the true length of each row of a ragged input."""
        lengths = self.inputs[name].lengths
        assert lengths is not None, name
        return lengths


class Decoder:
    """Turns record batches of one signature into rows.

    Args:
        signature: Inputs to read.
        packed: Names of scalar inputs that arrive as one list column, named by ``packed_name``.
        transformers: What runs the transform of each input that has one, by the input's name.
    """

    def __init__(
        self,
        signature: Signature,
        packed: Collection[str] = (),
        transformers: Mapping[str, Transformer] | None = None,
    ) -> None:
        self._signature = signature
        self._packed = frozenset(packed)
        self._transformers = transformers or {}
        needed = {item.name for item in signature.inputs if item.transform is not None}
        assert needed <= self._transformers.keys(), f"no transformer of {needed}"
        # How what a transform makes is read. Making an input anew checks all of it, so not for
        # every batch.
        self._transformed = {
            item.name: replace(item, transform=None)
            for item in signature.inputs
            if item.name in needed
        }
        self._checked: pa.Schema | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns that a record batch must have, others are ignored."""
        return wire_names(self._signature, self._packed)

    def decode(self, batch: pa.RecordBatch | pa.Table) -> Decoded:
        """Decode a record batch.

        Raises:
            SignatureError: A column is missing, of a wrong type, or holds arrays of a length
                that the signature does not allow.
        """
        self._check(batch.schema)
        rejects = Rejects(batch.num_rows)
        inputs = {item.name: self._rows(batch, item, rejects) for item in self._signature.inputs}
        return Decoded(self._signature, inputs, rejects, batch.num_rows)

    def _rows(self, batch: pa.RecordBatch, item: Input, rejects: Rejects) -> InputRows:
        if isinstance(item, ScalarInput) and item.name in self._packed:
            name = self._packed_name(item)
            return self._read([batch.column(name)], [name], item, rejects, packed=True)
        columns = [batch.column(name) for name in item.column_names]
        if item.transform is None or not item.transform.is_large or isinstance(item, RaggedInput):
            return self._read(columns, item.column_names, item, rejects)
        (column,) = map(plain, columns)
        if column.null_count and isinstance(item, ArrayInput) and item.nulls == "reject":
            rejects.add(null_rows(column), f"column {item.column!r} is null")

        def read(column: pa.Array, rejects: Rejects) -> InputRows:
            return self._read([column], item.column_names, item, rejects)

        return Deferred(column, read)

    def _read(
        self,
        columns: Sequence[pa.Array],
        names: Sequence[str],
        item: Input,
        rejects: Rejects,
        *,
        packed: bool = False,
    ) -> InputRows:
        """Transform columns where the input says so, and read what comes of it."""
        if transformer := self._transformers.get(item.name):
            levels = item.levels + packed
            columns = [
                transformed(column, levels, name, transformer, rejects)
                for column, name in zip(columns, names, strict=True)
            ]
            item = self._transformed[item.name]
        if packed:
            assert isinstance(item, ScalarInput)
            return dense.from_packed(columns[0], item, rejects)
        return READERS[type(item)](columns, item, rejects)

    def _packed_name(self, item: ScalarInput) -> str:
        return packed_name(item, self._signature.column_names)

    def _check(self, schema: pa.Schema) -> None:
        if self._checked is not None and self._checked.equals(schema):
            return
        check_schema([self._as_arrives(item) for item in self._signature.inputs], schema)
        self._checked = schema

    def _as_arrives(self, item: Input) -> Input:
        if isinstance(item, ScalarInput) and item.name in self._packed:
            return ArrayInput(
                item.name,
                column=self._packed_name(item),
                shape=item.item_shape,
                dtype=item.dtype,
                vocabulary=item.vocabulary,
                unknown_id=item.unknown_id,
                transform=item.transform,
            )
        return item
