"""The signature: typed inputs (column to tensor) and outputs (tensor to column)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spark_infer.bundle.columns import Column
from spark_infer.bundle.documents import as_tuple, shown, to_json, values_of
from spark_infer.bundle.inputs import (
    ArrayInput,
    Input,
    Mask,
    RaggedInput,
    ScalarInput,
    vocabulary_file,
)
from spark_infer.bundle.outputs import Output
from spark_infer.bundle.transforms import Tokenize, transform_from_json
from spark_infer.errors import SignatureError, nearest

REASON_COLUMN = "rejected_reason"
"""Column beside the predictions that says why a row has none."""

_KINDS: dict[str, type[Input]] = {
    kind.kind: kind for kind in (ScalarInput, ArrayInput, RaggedInput)
}


@dataclass(frozen=True)
class Signature:
    """Typed inputs and outputs of a model.

    Attributes:
        inputs: In the order in which the model takes their tensors.
        outputs: In the order in which the model returns them.

    Raises:
        SignatureError: A name is used twice, or an output follows a ragged input that is not there.
    """

    inputs: Sequence[Input] = field(kw_only=True)
    outputs: Sequence[Output] = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", _all_of(tuple(_KINDS.values()), self.inputs, "inputs"))
        object.__setattr__(self, "outputs", _all_of((Output,), self.outputs, "outputs"))
        if not self.inputs or not self.outputs:
            raise SignatureError("a signature needs at least one input and one output")
        _no_repeats("column", (name for item in self.inputs for name in item.column_names))
        _no_repeats("tensor", self.tensor_names)
        _no_repeats("output", (output.name.casefold() for output in self.outputs))
        _no_repeats("output tensor", (output.tensor_name for output in self.outputs))
        ragged = {item.name: None for item in self.ragged}
        for output in self.outputs:
            if output.name.casefold() == REASON_COLUMN:
                raise SignatureError(f"output name {REASON_COLUMN!r} is taken; choose another")
            if output.lengths_of is not None and output.lengths_of not in ragged:
                raise SignatureError(
                    f"output {output.name!r}: lengths_of names {output.lengths_of!r}, but the "
                    f"ragged inputs are {shown([*ragged])}{nearest(output.lengths_of, ragged)}"
                )

    @property
    def column_names(self) -> tuple[str, ...]:
        """Source columns in the order of the inputs: the argument order of the functions."""
        return tuple(name for item in self.inputs for name in item.column_names)

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Tensors in the order in which the model takes them."""
        return tuple(name for item in self.inputs for name in item.tensor_names)

    @property
    def ragged(self) -> tuple[RaggedInput, ...]:
        """The ragged inputs, in order."""
        return tuple(item for item in self.inputs if isinstance(item, RaggedInput))

    @property
    def vocabularies(self) -> dict[str, Any]:
        """Vocabulary, or tokenizer, of each input that has one, by input name."""
        found: dict[str, Any] = {}
        for item in self.inputs:
            if item.vocabulary is not None:
                found[item.name] = list(item.vocabulary)
            elif isinstance(item.transform, Tokenize):
                found[item.name] = json.loads(item.transform.document)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the signature as JSON data, vocabularies as file references."""
        return {
            "inputs": [item.to_json() for item in self.inputs],
            "outputs": [to_json(output) for output in self.outputs],
        }

    @classmethod
    def from_json(cls, data: object, read_vocabulary: Callable[[str], object]) -> Signature:
        """Rebuild a signature from ``to_json`` data.

        Args:
            data: What ``to_json`` returned.
            read_vocabulary: Returns the vocabulary of the input with this name.

        Raises:
            SignatureError: The data is not what ``to_json`` returns of any signature.
        """
        values = values_of(cls, data, where="signature")
        inputs = [
            _input_from_json(item, f"signature.inputs[{index}]", read_vocabulary)
            for index, item in enumerate(as_tuple(values["inputs"], where="signature.inputs"))
        ]
        outputs = [
            Output(**values_of(Output, item, where=f"signature.outputs[{index}]"))
            for index, item in enumerate(as_tuple(values["outputs"], where="signature.outputs"))
        ]
        return cls(inputs=inputs, outputs=outputs)


def _input_from_json(data: object, where: str, read_vocabulary: Callable[[str], object]) -> Input:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise SignatureError(f"{where}: input kind {shown(kind)} is unknown; known: {list(_KINDS)}")
    values = values_of(_KINDS[kind], data, where=where, besides="kind")
    if values["vocabulary"] is not None:
        values["vocabulary"] = _vocabulary(values, where, read_vocabulary)
    if values.get("transform") is not None:
        name = values["name"]
        if not isinstance(name, str) or not name.isidentifier():
            raise SignatureError(f"{where}: name must be an identifier, got {shown(name)}")
        values["transform"] = transform_from_json(
            values["transform"], f"{where}.transform", lambda: read_vocabulary(name)
        )
    if isinstance(values.get("mask"), dict):
        values["mask"] = Mask(**values_of(Mask, values["mask"], where=f"{where}.mask"))
    if kind == ScalarInput.kind:
        columns = as_tuple(values["columns"], where=f"{where}.columns")
        values["columns"] = [
            Column(**values_of(Column, column, where=f"{where}.columns[{index}]"))
            for index, column in enumerate(columns)
        ]
    return _KINDS[kind](**values)


def _vocabulary(
    values: dict[str, Any], where: str, read_vocabulary: Callable[[str], object]
) -> object:
    name, file = values["name"], values["vocabulary"]
    if not isinstance(name, str) or not name.isidentifier() or file != vocabulary_file(name):
        raise SignatureError(
            f"{where}: vocabulary {shown(file)} lies outside the bundle's vocabularies, where "
            f"input 'x' has {vocabulary_file('x')!r}"
        )
    words = read_vocabulary(name)
    if words is None:
        raise SignatureError(f"{file} must be a list, got null")
    return words


def _all_of(kinds: tuple[type, ...], given: object, what: str) -> tuple[Any, ...]:
    items = as_tuple(given, where=f"the signature's {what}")
    for item in items:
        if not isinstance(item, kinds):
            names = ", ".join(kind.__name__ for kind in kinds)
            raise SignatureError(f"the signature's {what} must be {names}; got {shown(item)}")
    return items


def _no_repeats(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise SignatureError(f"the signature names {what} {repeated[0]!r} more than once")
