"""The signature's arrays as the graph takes them, and the graph's as the signature promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.text import as_ids, unknown_word
from spark_infer.backends.onnx.model.types import STRING
from spark_infer.bundle import Output, Signature


@dataclass(frozen=True)
class Feed:
    """How one tensor of the signature goes into the graph.

    Attributes:
        name: What both call it.
        dtype: The graph's type, where it is another one.
        is_flat: Whether the graph takes (rows,) where the signature has (rows, 1).
        words: The word of each id, where the graph takes text.
    """

    name: str
    dtype: str | None = None
    is_flat: bool = False
    words: Array | None = None

    def of(self, array: Array) -> Array:
        """Return what the graph takes."""
        if self.words is not None:
            # Below zero no id is a word's, and numpy would count from the end.
            array = self.words[np.where(array < 0, len(self.words) - 1, array)]
        elif self.dtype is not None:
            array = _fitted(array, self.dtype, self.name)
        return array[:, 0] if self.is_flat else array


def _fitted(array: Array, dtype: str, name: str) -> Array:
    """Return integers in a type that has no room for all of them.

    Raises:
        ValueError: One does not fit.
    """
    info = np.iinfo(dtype)
    if array.size and (int(array.min()) < info.min or int(array.max()) > info.max):
        raise ValueError(f"a value of {name!r} does not fit the graph's {dtype}")
    return array.astype(dtype)


@dataclass(frozen=True)
class Fetch:
    """How one tensor of the graph comes out.

    Attributes:
        name: What the graph calls it.
        output: What the signature says of it.
        labels: Its words, sorted, and the id of each, where the graph returns text.
    """

    name: str
    output: Output
    labels: tuple[Array, Array] | None = None

    def of(self, array: Array) -> Array:
        """Return what the signature promises."""
        if self.labels is None:
            return array
        return as_ids(array, *self.labels, self.output.name)


def feeds_of(graph: Graph, signature: Signature) -> list[Feed]:
    """Return how a signature's tensors go into a graph, in order."""
    vocabularies = {item.tensor_name: item.vocabulary for item in signature.inputs}
    found = []
    for item in signature.inputs:
        for tensor in item.tensors:
            known = graph.inputs[tensor.name]
            words = None
            if known.dtype == STRING:
                vocabulary = [str(word) for word in vocabularies[tensor.name] or ()]
                words = np.array([*vocabulary, unknown_word(vocabulary)], dtype=object)
            is_other = known.dtype not in (tensor.dtype, STRING)
            found.append(
                Feed(
                    tensor.name,
                    known.dtype if is_other else None,
                    known.dims is not None and len(known.dims) == 1,
                    words,
                )
            )
    return found


def fetches_of(graph: Graph, signature: Signature) -> list[Fetch]:
    """Return how a graph's tensors become a signature's outputs, in order."""
    return [_fetch(graph, output) for output in signature.outputs]


def _fetch(graph: Graph, output: Output) -> Fetch:
    if graph.outputs[output.tensor_name].dtype != STRING:
        return Fetch(output.tensor_name, output)
    labels: Sequence[str] = output.labels or ()
    words = np.array(labels, dtype=str)
    order = np.argsort(words, kind="stable")
    return Fetch(output.tensor_name, output, (words[order], order.astype(np.int64)))
