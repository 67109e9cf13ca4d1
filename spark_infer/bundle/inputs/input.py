"""What the inputs of a signature have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from spark_infer.bundle.columns import (
    DTYPES,
    INTEGER_DTYPES,
    check_name,
    check_number,
    check_text,
)
from spark_infer.bundle.documents import ONLY_IF_SET, as_tuple, check_fields, shown, to_json
from spark_infer.bundle.inputs.tensor import InputTensor
from spark_infer.bundle.transforms import KINDS, Transform
from spark_infer.errors import SignatureError

Vocabulary = tuple[str, ...] | tuple[int, ...]

_CHECKED_APART = ("nulls", "null_items", "pad_value", "transform", "mask")
"""Fields whose words and numbers depend on the tensor's type, or that check themselves."""


def vocabulary_file(name: str) -> str:
    """Return the path inside a bundle of the vocabulary of the input with this name."""
    return f"vocabularies/{name}.json"


@dataclass(frozen=True)
class Input:
    """What every input has. Use ScalarInput, ArrayInput or RaggedInput.

    Attributes:
        name: Name of the input, an identifier.
        tensor: What the model calls its tensor, where that is another name or no identifier.
        dtype: NumPy name of the tensor's type. Default float32, or int64 with a vocabulary or
            hashes.
        vocabulary: Known categories (strings or integers). A value becomes its position.
        unknown_id: Id of a value outside the vocabulary. Default: ``len(vocabulary)``, so an
            embedding needs ``len(vocabulary) + 1`` rows.
        transform: What makes the tensor's values of the column's, where SQL cannot: ``HashBuckets``
            or ``RawBytes``.
        presence: Also pass a bool tensor ``<name>_present``, true where the value was not null.
    """

    kind: ClassVar[str]

    name: str
    tensor: str | None = field(default=None, kw_only=True, metadata=ONLY_IF_SET)
    dtype: str = field(default="", kw_only=True)
    vocabulary: Vocabulary | None = field(default=None, kw_only=True, repr=False)
    unknown_id: int | None = field(default=None, kw_only=True)
    transform: Transform | None = field(default=None, kw_only=True, metadata=ONLY_IF_SET)
    presence: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, what="an input")
        if not self.name.isidentifier():
            raise SignatureError(
                f"input name {self.name!r} must be an identifier: it names a tensor"
            )
        if self.vocabulary is not None:
            self._check_vocabulary(self.vocabulary)
        check_fields(self, where=f"input {self.name!r}", but=_CHECKED_APART)
        if self.vocabulary is None and self.unknown_id is not None:
            raise SignatureError(f"input {self.name!r}: unknown_id needs a vocabulary")
        if self.tensor is not None:
            check_name(self.tensor, what=f"the tensor of input {self.name!r}")
        if not self.dtype:
            makes_ids = isinstance(self.transform, Transform) and self.transform.makes_ids
            of_ids = self.vocabulary is not None or makes_ids
            object.__setattr__(self, "dtype", "int64" if of_ids else "float32")
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
        if self.transform is not None:
            self._check_transform(self.transform)

    def _check_transform(self, transform: object) -> None:
        where = f"input {self.name!r}"
        if not isinstance(transform, Transform) or transform.kind not in KINDS:
            names = ", ".join(kind.__name__ for kind in KINDS.values())
            raise SignatureError(
                f"{where}: transform must be one of {names}, got {shown(transform)}"
            )
        if self.vocabulary is not None:
            raise SignatureError(f"{where}: give it a vocabulary or a transform, not both")
        if transform.makes_arrays and not self.sizes:
            raise SignatureError(
                f"{where}: transform {transform.kind!r} makes arrays, which an ArrayInput or a "
                "RaggedInput takes"
            )
        transform.check_dtype(self.dtype)

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
        if kinds == {str}:
            check_text(words, where=f"input {self.name!r}: vocabulary value")
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
    def sizes(self) -> tuple[int | None, ...]:
        """Length of each level of lists around the values of a row; None where it varies."""
        raise TypeError("use ScalarInput, ArrayInput or RaggedInput")

    @property
    def levels(self) -> int:
        """How many levels of lists a source column has: none where a transform makes them."""
        makes = self.transform is not None and self.transform.makes_arrays
        return 0 if makes else len(self.sizes)

    @property
    def struct_fields(self) -> tuple[str, ...]:
        """Fields of the structs that stand in the place of values, if they do."""
        return ()

    @property
    def takes(self) -> str | None:
        """Spark's type of a column's values where they are no numbers yet, else None."""
        if self.transform is not None:
            return self.transform.takes
        if self.vocabulary is not None:
            return "string" if isinstance(self.vocabulary[0], str) else "bigint"
        return None

    @property
    def tensor_name(self) -> str:
        """What the model calls the tensor of the values."""
        return self.tensor or self.name

    @cached_property  # It is asked for with every batch.
    def tensors(self) -> tuple[InputTensor, ...]:
        """Tensors that the model receives for this input, in order."""
        values = InputTensor(self.tensor_name, self.dtype, "values")
        present = InputTensor(f"{self.name}_present", "bool", "present")
        return (values, *self._others(), *([present] if self.presence else []))

    def _others(self) -> tuple[InputTensor, ...]:
        return ()

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(tensor.name for tensor in self.tensors)

    def to_json(self) -> dict[str, Any]:
        """Return the input as JSON data; a vocabulary is written beside the manifest."""
        words = None if self.vocabulary is None else vocabulary_file(self.name)
        data = {"kind": self.kind, **to_json(self), "vocabulary": words}
        if self.transform is not None:
            data["transform"] = self.transform.to_json()
        return data
