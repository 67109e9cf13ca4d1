"""Text in graphs, as ids: a signature's tensors hold numbers.

A graph that only looks words up treats all words alike that it does not know. Where that can be
seen, its words are a vocabulary, and one word that it does not know stands for all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, numpy_helper

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.model.graph import Graph, inner_graphs
from spark_infer.errors import BundleError, PredictionError

_MOVES = frozenset(
    {
        "Identity",
        "Concat",
        "Reshape",
        "Transpose",
        "Slice",
        "Gather",
        "GatherElements",
        "Split",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Expand",
        "ArrayFeatureExtractor",
    }
)
"""Operators that give words as they came."""
_LOOKS_UP = frozenset({"OneHotEncoder", "LabelEncoder", "CategoryMapper", "Equal"})
_CONSTANTS = ("value_string", "value_strings")
_LABELS = ("classlabels_strings", "values_strings", "default_string", "cats_strings", *_CONSTANTS)
_WORDS = ("cats_strings", "keys_strings", *_CONSTANTS)


def words_of(graph: Graph, name: str) -> list[str]:
    """Return the words that a graph knows of an input of text.

    Raises:
        BundleError: It does more with words than to look them up.
    """
    tainted = {name}
    constant = {tensor.name for tensor in graph.model.graph.initializer}
    for node in graph.model.graph.node:
        given = tainted.intersection(node.input)
        inner = any(tainted.intersection(_names(inside)) for inside in inner_graphs(node))
        if not given and not inner:
            if node.op_type in _MOVES | {"Constant"} and constant.issuperset(node.input):
                constant.update(node.output)
            continue
        if inner or node.op_type not in _MOVES | _LOOKS_UP:
            raise BundleError(
                f"input {name!r} of the ONNX model is text, and the graph does more with it than "
                f"to look words up ({node.op_type}); do that step before the model, in Spark SQL, "
                "and export the rest"
            )
        if node.op_type == "Equal" and not constant.intersection(node.input):
            # Two words that it does not know would be one.
            raise BundleError(
                f"input {name!r} of the ONNX model is text, and the graph compares its words with "
                "others than constants (Equal), so that every word counts and not only those that "
                "the graph knows; compare them before the model, in Spark SQL, and export the rest"
            )
        if node.op_type in _MOVES:
            tainted.update(node.output)
    if passed := sorted(tainted & {value.name for value in graph.model.graph.output}):
        raise BundleError(
            f"output {passed[0]!r} of the ONNX model is its input {name!r}; export it without"
        )
    words = dict.fromkeys(_words(graph.nodes, _WORDS))
    words |= dict.fromkeys(_constants(graph.model.graph))
    if not words:
        raise BundleError(f"input {name!r} of the ONNX model is text, and the graph knows no word")
    return list(words)


def labels_of(graph: Graph, name: str) -> list[str]:
    """Return the words that an output of text can be.

    Raises:
        BundleError: The graph does not say.
    """
    made_by = {output: node for node in graph.model.graph.node for output in node.output}
    constants = {t.name: t for t in graph.model.graph.initializer if _is_text(t)}
    labels: dict[str, None] = {}
    pending, seen = [name], set[str]()
    while pending:
        tensor = pending.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if tensor in constants:
            labels |= dict.fromkeys(_texts(constants[tensor]))
            continue
        node = made_by.get(tensor)
        if node is None:
            raise _unknown(name)
        said = list(_words([node], _LABELS))
        labels |= dict.fromkeys(said)
        if said or node.op_type == "Constant":
            continue
        if node.op_type == "Where":
            pending += node.input[1:]
        elif node.op_type in ("Gather", "ArrayFeatureExtractor", "GatherElements", "Reshape"):
            pending += node.input[:1]
        elif node.op_type in _MOVES:
            pending += node.input if node.op_type == "Concat" else node.input[:1]
        else:
            raise _unknown(name)
    return list(labels)


def unknown_word(vocabulary: Iterable[str]) -> str:
    """Return a word that is not in a vocabulary."""
    return max(vocabulary, key=len) + "\u00b7"


def as_ids(words: Array, labels: Array, order: Array, name: str) -> Array:
    """Return the position of each word among labels.

    Args:
        words: The words, of any shape.
        labels: The labels, sorted.
        order: The position that each had.
        name: The output, for the message.

    Raises:
        PredictionError: A word is no label.
    """
    given = words.astype(labels.dtype)
    places = np.minimum(np.searchsorted(labels, given), len(labels) - 1)
    found = labels[places] == words
    if not found.all():
        word = words[~found].ravel()[0]
        raise PredictionError(f"output {name!r}: the model returned {word!r}, which is no label")
    ids: Array = order[places]
    return ids


def _unknown(name: str) -> BundleError:
    return BundleError(
        f"output {name!r} of the ONNX model is text, and which words it can be is not said; export "
        "it with the numbers of classes"
    )


def _names(graph: GraphProto) -> set[str]:
    found: set[str] = set()
    for node in graph.node:
        found.update(node.input)
        for inner in inner_graphs(node):
            found |= _names(inner)
    return found


def _words(nodes: Iterable[NodeProto], attributes: Iterable[str]) -> Iterator[str]:
    """Yield the words that nodes name in some attributes, or in tensors of these."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in attributes:
                yield from (word.decode() for word in (*attribute.strings, *_own(attribute.s)))
            elif attribute.HasField("t") and _is_text(attribute.t):
                yield from _texts(attribute.t)


def _own(word: bytes) -> tuple[bytes, ...]:
    return (word,) if word else ()


def _constants(graph: GraphProto) -> Iterator[str]:
    for tensor in graph.initializer:
        if _is_text(tensor):
            yield from _texts(tensor)


def _is_text(tensor: TensorProto) -> bool:
    return tensor.data_type == TensorProto.STRING


def _texts(tensor: TensorProto) -> list[str]:
    values = numpy_helper.to_array(tensor).ravel()
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
