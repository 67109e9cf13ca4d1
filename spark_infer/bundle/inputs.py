"""The typed inputs of a signature: which columns become which tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from spark_infer.bundle.columns import (
    DTYPES,
    INTEGER_DTYPES,
    MAX_SIZE,
    Column,
    NullRule,
    check_name,
    check_null_rule,
    check_number,
    check_shape,
)
from spark_infer.bundle.documents import as_tuple, check_fields, to_json
from spark_infer.errors import SignatureError

Vocabulary = tuple[str, ...] | tuple[int, ...]

_BY_TENSOR = ("nulls", "null_items", "pad_value")
"""Fields whose words and numbers depend on the tensor's type."""


def vocabulary_file(name: str) -> str:
    """Return the path inside a bundle of the vocabulary of the input with this name."""
    return f"vocabularies/{name}.json"


@dataclass(frozen=True)
class Input:
    """What every input has. Use ScalarInput, ArrayInput or RaggedInput.

    Attributes:
        name: Name of the tensor that the model receives.
        dtype: NumPy name of the tensor's type. Default float32, or int64 with a vocabulary.
        vocabulary: Known categories (strings or integers). A value becomes its position.
        unknown_id: Id of a value outside the vocabulary. Default: ``len(vocabulary)``, so an
            embedding needs ``len(vocabulary) + 1`` rows.
        presence: Also pass a bool tensor ``<name>_present``, true where the value was not null.
    """

    kind: ClassVar[str]

    name: str
    dtype: str = field(default="", kw_only=True)
    vocabulary: Vocabulary | None = field(default=None, kw_only=True, repr=False)
    unknown_id: int | None = field(default=None, kw_only=True)
    presence: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, what="an input")
        if not self.name.isidentifier():
            raise SignatureError(
                f"input name {self.name!r} must be an identifier: it names a tensor"
            )
        if self.vocabulary is not None:
            self._check_vocabulary(self.vocabulary)
        check_fields(self, where=f"input {self.name!r}", but=_BY_TENSOR)
        if self.vocabulary is None and self.unknown_id is not None:
            raise SignatureError(f"input {self.name!r}: unknown_id needs a vocabulary")
        if not self.dtype:
            object.__setattr__(self, "dtype", "float32" if self.vocabulary is None else "int64")
        if self.dtype not in DTYPES:
            raise SignatureError(
                f"input {self.name!r}: dtype {self.dtype!r} is unknown; use one of {list(DTYPES)}"
            )
        if self.vocabulary is not None and self.dtype not in INTEGER_DTYPES:
            raise SignatureError(
                f"input {self.name!r}: a vocabulary gives ids, so dtype must be an integer type, "
                f"not {self.dtype}"
            )
        if self.vocabulary is not None:
            for number in (len(self.vocabulary) - 1, self.unknown_id):
                check_number(number, where=f"input {self.name!r}: id", dtype=self.dtype)

    def _check_vocabulary(self, given: object) -> None:
        if isinstance(given, str):
            raise SignatureError(f"input {self.name!r}: a vocabulary is a list, not a string")
        words = as_tuple(given, where=f"input {self.name!r}: vocabulary")
        kinds = {type(word) for word in words}
        if kinds not in ({str}, {int}):
            raise SignatureError(
                f"input {self.name!r}: a vocabulary holds strings or integers, all of one kind, "
                f"and at least one; got {sorted(kind.__name__ for kind in kinds)}"
            )
        for word in words if kinds == {int} else ():
            check_number(word, where=f"input {self.name!r}: vocabulary value", dtype="int64")
        if len(set(words)) != len(words):
            raise SignatureError(f"input {self.name!r}: the vocabulary names a value twice")
        object.__setattr__(self, "vocabulary", words)
        if self.unknown_id is None:
            object.__setattr__(self, "unknown_id", len(words))

    @property
    def column_names(self) -> tuple[str, ...]:
        """Source columns of this input, in order."""
        raise TypeError("use ScalarInput, ArrayInput or RaggedInput")

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one row (of one position, for a ragged input)."""
        raise TypeError("use ScalarInput, ArrayInput or RaggedInput")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Tensors that the model receives for this input, in order."""
        return (self.name, f"{self.name}_present") if self.presence else (self.name,)

    def to_json(self) -> dict[str, Any]:
        """Return the input as JSON data; a vocabulary is written beside the manifest."""
        words = None if self.vocabulary is None else vocabulary_file(self.name)
        return {"kind": self.kind, **to_json(self), "vocabulary": words}


@dataclass(frozen=True)
class ScalarInput(Input):
    """Scalar columns packed into one tensor of shape (rows, number of columns).

    Attributes:
        columns: Column names, or ``Column`` objects where a null rule is wanted.
    """

    kind: ClassVar[str] = "scalar"

    columns: Sequence[Column | str] = field(kw_only=True)

    def __post_init__(self) -> None:
        columns = as_tuple(self.columns, where=f"input {self.name!r}: columns")
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


@dataclass(frozen=True)
class ArrayInput(Input):
    """A fixed-size (nested) array column as a tensor of shape (rows, *shape).

    Attributes:
        column: Name of the array column.
        shape: Length at each nesting level.
        nulls: What a null array becomes: ``"reject"``, ``"nan"`` or a number in every position.
        null_items: What a null inside the array becomes.
    """

    kind: ClassVar[str] = "array"

    column: str = field(kw_only=True)
    shape: Sequence[int] = field(kw_only=True)
    nulls: NullRule = field(default="reject", kw_only=True)
    null_items: NullRule = field(default="reject", kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.column, what=f"the column of input {self.name!r}")
        shape = check_shape(self.shape, where=f"input {self.name!r}", least=1)
        object.__setattr__(self, "shape", shape)
        super().__post_init__()
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
        pad_value: Value of the positions after a row's end.
        mask: Also pass a bool tensor ``<name>_mask`` (rows, longest), true where a value is real.
        nulls: What a null array becomes: ``"reject"`` or ``"empty"``.
        null_items: What a null inside the array becomes: ``"reject"``, ``"nan"`` or a number.
    """

    kind: ClassVar[str] = "ragged"

    column: str = field(kw_only=True)
    fields: Sequence[str] = field(default=(), kw_only=True)
    shape: Sequence[int] = field(default=(), kw_only=True)
    max_length: int | None = field(default=None, kw_only=True)
    overflow: Literal["keep_first", "keep_last", "reject", "error"] = field(
        default="error", kw_only=True
    )
    pad_value: float | int = field(default=0, kw_only=True)
    mask: bool = field(default=True, kw_only=True)
    nulls: NullRule = field(default="reject", kw_only=True)
    null_items: NullRule = field(default="reject", kw_only=True)

    def __post_init__(self) -> None:
        where = f"input {self.name!r}, column {self.column!r}"
        check_name(self.column, what=f"the column of input {self.name!r}")
        object.__setattr__(self, "fields", as_tuple(self.fields, where=f"{where}: fields"))
        object.__setattr__(self, "shape", check_shape(self.shape, where=where))
        super().__post_init__()
        if self.fields and self.shape:
            raise SignatureError(f"{where}: give fields (structs) or shape (arrays), not both")
        if len(set(self.fields)) != len(self.fields):
            raise SignatureError(f"{where}: a struct field is named twice")
        if self.max_length is not None and not 1 <= self.max_length <= MAX_SIZE:
            raise SignatureError(
                f"{where}: max_length must be from 1 to {MAX_SIZE}, got {self.max_length}"
            )
        if self.nulls not in ("reject", "empty"):
            raise SignatureError(f"{where}: nulls must be 'reject' or 'empty', got {self.nulls!r}")
        check_null_rule(self.null_items, where=where, dtype=self.dtype, words=("reject", "nan"))
        if isinstance(self.pad_value, bool) and self.dtype != "bool":
            raise SignatureError(f"{where}: pad_value must be a number, got {self.pad_value}")
        check_number(self.pad_value, where=f"{where}: pad_value", dtype=self.dtype)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Source columns of this input: one."""
        return (self.column,)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one position."""
        return (len(self.fields),) if self.fields else tuple(self.shape)

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Tensors that the model receives for this input, in order."""
        first, *rest = super().tensor_names
        return (first, f"{self.name}_mask", *rest) if self.mask else (first, *rest)
