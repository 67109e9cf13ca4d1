"""What the inputs of a signature have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spark_infer.bundle.columns import DTYPES, INTEGER_DTYPES, check_name, check_number
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
