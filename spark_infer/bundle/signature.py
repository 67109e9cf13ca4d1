"""The signature: typed inputs (column to tensor) and outputs (tensor to column)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spark_infer.bundle.columns import Column
from spark_infer.bundle.inputs import ArrayInput, Input, RaggedInput, ScalarInput
from spark_infer.bundle.outputs import Output
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
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        if not self.inputs or not self.outputs:
            raise SignatureError("a signature needs at least one input and one output")
        _no_repeats("column", (name for item in self.inputs for name in item.column_names))
        _no_repeats("tensor", self.tensor_names)
        _no_repeats("output", (output.name.casefold() for output in self.outputs))
        ragged = [item.name for item in self.inputs if isinstance(item, RaggedInput)]
        for output in self.outputs:
            if output.name.casefold() == REASON_COLUMN:
                raise SignatureError(f"output name {REASON_COLUMN!r} is taken; choose another")
            if output.lengths_of is not None and output.lengths_of not in ragged:
                raise SignatureError(
                    f"output {output.name!r}: lengths_of names {output.lengths_of!r}, but the "
                    f"ragged inputs are {ragged}{nearest(output.lengths_of, ragged)}"
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
    def vocabularies(self) -> dict[str, list[Any]]:
        """Vocabulary of each input that has one, by input name."""
        return {i.name: list(i.vocabulary) for i in self.inputs if i.vocabulary is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the signature as JSON data, vocabularies as file references."""
        return {
            "inputs": [item.to_json() for item in self.inputs],
            "outputs": [output.to_json() for output in self.outputs],
        }

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], vocabularies: Mapping[str, Sequence[Any]]
    ) -> Signature:
        """Rebuild a signature from ``to_json`` data and its vocabularies."""
        return cls(
            inputs=[_input_from_json(item, vocabularies) for item in data["inputs"]],
            outputs=[Output(**output) for output in data["outputs"]],
        )


def _input_from_json(data: Mapping[str, Any], vocabularies: Mapping[str, Sequence[Any]]) -> Input:
    values = dict(data)
    kind = values.pop("kind")
    if kind not in _KINDS:
        raise SignatureError(f"input kind {kind!r} is unknown; known: {list(_KINDS)}")
    if "vocabulary" in values:
        values["vocabulary"] = tuple(vocabularies[values["name"]])
    if kind == ScalarInput.kind:
        values["columns"] = [Column(c["name"], nulls=c["nulls"]) for c in values["columns"]]
    return _KINDS[kind](**values)


def _no_repeats(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise SignatureError(f"the signature names {what} {repeated[0]!r} more than once")
