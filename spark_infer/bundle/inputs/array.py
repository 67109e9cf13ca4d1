"""An array column of one shape as a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from spark_infer.bundle.columns import NullRule, check_name, check_null_rule, check_shape
from spark_infer.bundle.documents import ONLY_IF_SET, shown
from spark_infer.bundle.inputs.input import Input
from spark_infer.errors import SignatureError


@dataclass(frozen=True)
class ArrayInput(Input):
    """A fixed-size (nested) array column as a tensor of shape (rows, *shape).

    Attributes:
        column: Name of the array column.
        shape: Length at each nesting level.
        nulls: What a null array becomes: ``"reject"``, ``"nan"`` or a number in every position.
        null_items: What a null inside the array becomes.
        lengths: What an array of another shape does, or one that holds a null array: ``"reject"``
            its row, or ``"error"`` stops.
    """

    kind: ClassVar[str] = "array"

    column: str = field(kw_only=True)
    shape: Sequence[int] = field(kw_only=True)
    nulls: NullRule = field(default="reject", kw_only=True)
    null_items: NullRule = field(default="reject", kw_only=True)
    lengths: Literal["reject", "error"] = field(
        default="reject", kw_only=True, metadata=ONLY_IF_SET
    )

    def __post_init__(self) -> None:
        check_name(self.column, what=f"the column of input {shown(self.name)}")
        shape = check_shape(self.shape, where=f"input {shown(self.name)}", least=1)
        object.__setattr__(self, "shape", shape)
        super().__post_init__()
        if self.lengths == "error" and not self.levels:
            raise SignatureError(
                f"input {self.name!r}: lengths is about arrays, and a transform makes these; rows "
                "of which it makes none are rejected"
            )
        where = f"input {self.name!r}, column {self.column!r}"
        for rule in (self.nulls, self.null_items):
            check_null_rule(rule, where=where, dtype=self.dtype, words=("reject", "nan"))

    @property
    def column_names(self) -> tuple[str, ...]:
        """Source columns of this input: one."""
        return (self.column,)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self.shape)

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """Length of each level of lists around the values of a row."""
        return tuple(self.shape)
