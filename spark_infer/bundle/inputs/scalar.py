"""Scalar columns as one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from spark_infer.bundle.columns import Column, check_null_rule
from spark_infer.bundle.documents import as_tuple, shown
from spark_infer.bundle.inputs.input import Input
from spark_infer.errors import SignatureError


@dataclass(frozen=True)
class ScalarInput(Input):
    """Scalar columns packed into one tensor of shape (rows, number of columns).

    Attributes:
        columns: Column names, or ``Column`` objects where a null rule is wanted.
    """

    kind: ClassVar[str] = "scalar"

    columns: Sequence[Column | str] = field(kw_only=True)

    def __post_init__(self) -> None:
        columns = as_tuple(self.columns, where=f"input {shown(self.name)}: columns")
        object.__setattr__(self, "columns", tuple(Column.of(column) for column in columns))
        super().__post_init__()
        if not self.columns:
            raise SignatureError(f"input {self.name!r} names no column")
        for column in self.source_columns:
            where = f"input {self.name!r}, column {column.name!r}"
            check_null_rule(column.nulls, where=where, dtype=self.dtype, words=("reject", "nan"))

    @property
    def source_columns(self) -> tuple[Column, ...]:
        """The columns as ``Column`` objects."""
        return tuple(Column.of(column) for column in self.columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Source columns of this input, in order."""
        return tuple(column.name for column in self.source_columns)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return (len(self.columns),)

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """Length of each level of lists around the values of a row: there are none."""
        return ()
