"""An array column of any length as a padded tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from spark_infer.bundle.columns import (
    MAX_SIZE,
    NullRule,
    check_name,
    check_null_rule,
    check_number,
    check_shape,
)
from spark_infer.bundle.documents import ONLY_IF_SET, as_tuple, shown
from spark_infer.bundle.inputs.input import Input
from spark_infer.bundle.inputs.tensor import InputTensor, Mask
from spark_infer.errors import SignatureError


@dataclass(frozen=True)
class RaggedInput(Input):
    """An array column of any length as a padded tensor of shape (rows, longest, *inner).

    Accepts ``array<number>``, ``array<array<number>>`` with ``shape`` as the fixed inner
    lengths, and ``array<struct<...>>`` with ``fields``, whose fields become the last dimension.

    Attributes:
        column: Name of the array column.
        fields: Numeric struct fields, in the order of the last dimension.
        shape: Fixed inner lengths of nested arrays.
        max_length: Longest row that the model accepts; None for any.
        overflow: What happens to a longer row: ``"keep_first"``, ``"keep_last"``, ``"reject"``
            the row, or ``"error"`` stops.
        min_length: Shortest row that the model accepts; a shorter one is rejected. None: 0, or 1
            where saving finds that what the model makes of an empty row depends on padding.
        pad_to: Length that every batch is padded to, for a model that was made for one length;
            ``max_length`` is then this by default, and no more.
        pad_multiple: Every padded length is a multiple of this, for a model that needs it.
        pad_value: Value of the positions after a row's end.
        mask: Also pass a bool tensor ``<name>_mask`` (rows, longest), true where a value is real;
            a ``Mask`` gives it another name or type.
        zeros: Names of tensors of zeros, of the values' shape and type, for a model that wants
            them (``token_type_ids``).
        nulls: What a null array becomes: ``"reject"`` or ``"empty"``.
        null_items: What a null inside the array becomes: ``"reject"``, ``"nan"`` or a number.
        lengths: What an inner array does that is null or not of ``shape``: ``"reject"`` its row,
            or ``"error"`` stops.
    """

    kind: ClassVar[str] = "ragged"

    column: str = field(kw_only=True)
    fields: Sequence[str] = field(default=(), kw_only=True)
    shape: Sequence[int] = field(default=(), kw_only=True)
    max_length: int | None = field(default=None, kw_only=True)
    overflow: Literal["keep_first", "keep_last", "reject", "error"] = field(
        default="error", kw_only=True
    )
    min_length: int | None = field(default=None, kw_only=True)
    pad_to: int | None = field(default=None, kw_only=True)
    pad_multiple: int = field(default=1, kw_only=True)
    pad_value: float | int = field(default=0, kw_only=True)
    mask: bool | Mask = field(default=True, kw_only=True)
    zeros: Sequence[str] = field(default=(), kw_only=True, metadata=ONLY_IF_SET)
    nulls: NullRule = field(default="reject", kw_only=True)
    null_items: NullRule = field(default="reject", kw_only=True)
    lengths: Literal["reject", "error"] = field(
        default="reject", kw_only=True, metadata=ONLY_IF_SET
    )

    def __post_init__(self) -> None:
        check_name(self.column, what=f"the column of input {shown(self.name)}")
        where = f"input {shown(self.name)}, column {self.column!r}"
        object.__setattr__(self, "fields", as_tuple(self.fields, where=f"{where}: fields"))
        object.__setattr__(self, "shape", check_shape(self.shape, where=where))
        object.__setattr__(self, "zeros", as_tuple(self.zeros, where=f"{where}: zeros"))
        if not isinstance(self.mask, bool | Mask):
            raise SignatureError(
                f"{where}: mask must be true, false or a Mask, got {shown(self.mask)}"
            )
        super().__post_init__()
        for name in self.fields:
            check_name(name, what=f"a struct field of {where}")
        for name in self.zeros:
            check_name(name, what=f"a tensor of zeros of {where}")
        if self.fields and self.transform is not None:
            raise SignatureError(f"{where}: fields are numbers, and a transform takes other values")
        if self.fields and self.shape:
            raise SignatureError(f"{where}: give fields (structs) or shape (arrays), not both")
        if len(set(self.fields)) != len(self.fields):
            raise SignatureError(f"{where}: a struct field is named twice")
        if self.lengths == "error" and not self.shape:
            raise SignatureError(
                f"{where}: lengths is about inner arrays, and there is no shape for them; what a "
                "longer row does is said by max_length and overflow"
            )
        self._check_lengths(where)
        if not isinstance(self.nulls, str) or self.nulls not in ("reject", "empty"):
            raise SignatureError(
                f"{where}: nulls must be 'reject' or 'empty', got {shown(self.nulls)}"
            )
        check_null_rule(self.null_items, where=where, dtype=self.dtype, words=("reject", "nan"))
        if isinstance(self.pad_value, bool) and self.dtype != "bool":
            raise SignatureError(f"{where}: pad_value must be a number, got {self.pad_value}")
        check_number(self.pad_value, where=f"{where}: pad_value", dtype=self.dtype)

    def _check_lengths(self, where: str) -> None:
        least = {"max_length": 1, "min_length": 0, "pad_to": 1, "pad_multiple": 1}
        for name, at_least in least.items():
            value = getattr(self, name)
            if value is not None and not at_least <= value <= MAX_SIZE:
                raise SignatureError(
                    f"{where}: {name} must be from {at_least} to {MAX_SIZE}, got {shown(value)}"
                )
        if self.max_length is None:
            object.__setattr__(self, "max_length", self.pad_to)
        most = self.max_length
        if most is not None and (self.min_length or 0) > most:
            raise SignatureError(
                f"{where}: min_length {self.min_length} is above max_length {most}"
            )
        if self.pad_to is not None and self.pad_multiple != 1:
            raise SignatureError(f"{where}: give pad_to or pad_multiple, not both")
        if self.pad_to is not None and most is not None and most > self.pad_to:
            raise SignatureError(f"{where}: max_length {most} is above pad_to {self.pad_to}")
        if self.pad_to is None and most is not None and most % self.pad_multiple:
            raise SignatureError(
                f"{where}: max_length {most} is no multiple of pad_multiple {self.pad_multiple}"
            )

    @property
    def column_names(self) -> tuple[str, ...]:
        """Source columns of this input: one."""
        return (self.column,)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one position."""
        return (len(self.fields),) if self.fields else tuple(self.shape)

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """Length of each level of lists around the values of a row; None where it varies."""
        return (None, *self.shape)

    @property
    def struct_fields(self) -> tuple[str, ...]:
        """Fields of the structs that stand in the place of values, if they do."""
        return tuple(self.fields)

    @property
    def mask_tensor(self) -> InputTensor | None:
        """The mask that the model receives."""
        if not self.mask:
            return None
        mask = self.mask if isinstance(self.mask, Mask) else Mask()
        return InputTensor(mask.tensor or f"{self.name}_mask", mask.dtype, "mask")

    def _others(self) -> tuple[InputTensor, ...]:
        mask = self.mask_tensor
        zeros = (InputTensor(name, self.dtype, "zeros") for name in self.zeros)
        return (*([] if mask is None else [mask]), *zeros)
