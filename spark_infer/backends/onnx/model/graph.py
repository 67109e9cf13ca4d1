"""A graph that was checked: what ONNX Runtime is given is this, and nothing else.

ONNX Runtime reads files that a graph names, and runs operators of libraries that were registered.
A graph that is stored names no file and no operator but those of the ONNX standard, so what was
tampered with can compute something else, and that is all it can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from spark_infer.backends.onnx.model.trees import check_trees
from spark_infer.backends.onnx.model.types import GraphTensor, tensor_of
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError, some

MAX_BYTES = 2**31 - 1
"""Protocol buffers hold no more."""

_DOMAINS = {"": "", "ai.onnx": "", "ai.onnx.ml": "ai.onnx.ml"}
_MAX_DEPTH = 16
_DAMAGED = "the file is no ONNX model, or it is damaged; export the model again"
_MAX_NODES = 1_000_000
_RANDOM = frozenset(
    {
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
    }
)
_COARSE = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


@dataclass(frozen=True)
class Graph:
    """A model of ONNX whose parts were checked.

    Attributes:
        model: The model. It is not changed.
    """

    model: ModelProto

    @classmethod
    def of(cls, model: ModelProto) -> Graph:
        """Return a checked graph.

        Raises:
            BundleError: It holds what is not of the ONNX standard, reads files, or is damaged.
        """
        _check(model)
        return cls(model)

    @classmethod
    def parse(cls, content: bytes) -> Graph:
        """Return the checked graph of a file.

        Raises:
            BundleError: As for ``of``, or it is no graph at all.
        """
        model = parse(content)
        if not _is_text(model):
            raise BundleError(_DAMAGED)
        return cls.of(model)

    @cached_property
    def content(self) -> bytes:
        """The file."""
        return serialize(self.model)

    @cached_property
    def inputs(self) -> dict[str, GraphTensor]:
        """What has to be given, by name."""
        stored = {tensor.name for tensor in self.model.graph.initializer}
        stored |= {tensor.values.name for tensor in self.model.graph.sparse_initializer}
        given = [value for value in self.model.graph.input if value.name not in stored]
        return {value.name: tensor_of(value, what="input") for value in given}

    @cached_property
    def outputs(self) -> dict[str, GraphTensor]:
        """What comes out, by name."""
        return {value.name: tensor_of(value, what="output") for value in self.model.graph.output}

    @cached_property
    def num_weights(self) -> int:
        """How many numbers are stored."""
        return sum(int(np.prod(tensor.dims)) for tensor in self.model.graph.initializer)

    @cached_property
    def resolution(self) -> float:
        """Relative distance of neighboring numbers in the least precise type of the weights."""
        kinds = {tensor.data_type for tensor in self.model.graph.initializer}
        kinds |= {t.data_type for node in self.nodes for t in _tensors(node)}
        if TensorProto.BFLOAT16 in kinds:
            return 2.0**-7
        return float(np.finfo(np.float16 if kinds & {*_COARSE} else np.float32).eps)

    @cached_property
    def nodes(self) -> list[NodeProto]:
        """All nodes, those of inner graphs included."""
        return list(_nodes(self.model.graph))

    @property
    def random(self) -> list[str]:
        """Operators that draw random numbers."""
        return sorted({node.op_type for node in self.nodes if node.op_type in _RANDOM})


def parse(content: bytes) -> ModelProto:
    """Return a model that is not checked yet.

    Raises:
        BundleError: It is none.
    """
    try:
        model: ModelProto = ModelProto.FromString(content)
    except DecodeError:
        raise BundleError(_DAMAGED) from None
    if not model.graph.output:
        raise BundleError("the ONNX model has no outputs; export the model again")
    return model


def serialize(model: ModelProto) -> bytes:
    """Return the file of a model.

    Raises:
        BundleError: It would be too large.
    """
    try:
        content: bytes = model.SerializeToString(deterministic=True)
    except Exception as error:
        # Protocol buffers have an error of their own for each version.
        raise BundleError(
            f"the ONNX model has more than {MAX_BYTES:,} bytes with its weights, which one file "
            f"cannot hold ({error}); save the torch module that it was made from"
        ) from None
    return content


def _check(model: ModelProto) -> None:
    if model.ir_version > onnx.IR_VERSION:
        raise BundleError(
            f"the ONNX model is of version {model.ir_version} of the format, and onnx "
            f"{onnx.__version__} knows {onnx.IR_VERSION}; upgrade onnx and onnxruntime, or export "
            "it for an earlier opset"
        )
    for domain in sorted({entry.domain for entry in model.opset_import}):
        # One that no node is of is there in many exports.
        if domain in _DOMAINS and onnx.defs.onnx_opset_version() < _version(model, domain):
            raise BundleError(
                f"the ONNX model needs opset {_version(model, domain)}, and onnx "
                f"{onnx.__version__} knows {onnx.defs.onnx_opset_version()}; upgrade onnx and "
                "onnxruntime, or export it for an earlier opset"
            )
    if model.functions:
        names = some(sorted(f"{f.domain}.{f.name}" for f in model.functions))
        raise BundleError(
            f"the ONNX model defines functions of its own ({names}); export it without, or inline "
            "them with onnx.inliner.inline_local_functions(model)"
        )
    if model.training_info:
        raise BundleError("the ONNX model holds a training graph; export it for inference")
    _check_graph(model.graph, 0)
    nodes = list(_nodes(model.graph))
    if len(nodes) > _MAX_NODES:
        raise BundleError(f"the ONNX model has more than {_MAX_NODES:,} nodes")
    foreign = {
        f"{node.domain or 'ai.onnx'}.{node.op_type}"
        for node in nodes
        if node.domain not in _DOMAINS
        or not onnx.defs.has(node.op_type, domain=_DOMAINS[node.domain])
    }
    if foreign:
        raise BundleError(
            f"the ONNX model needs operators that are not of the ONNX standard: "
            f"{some(sorted(foreign))}; export it with standard operators only (opset 17 or later, "
            "without fused or custom ones), or save the model that it was made from"
        )


def _is_text(message: Message, depth: int = 0) -> bool:
    """Return whether all text in a message is UTF-8: protocol buffers give other text as bytes."""
    if depth > 8 * _MAX_DEPTH:
        return False
    for field, value in message.ListFields():
        items = value if field.is_repeated else (value,)
        if field.type == FieldDescriptor.TYPE_STRING:
            good = all(isinstance(item, str) for item in items)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            good = all(_is_text(item, depth + 1) for item in items)
        else:
            continue
        if not good:
            return False
    return True


def _version(model: ModelProto, domain: str) -> int:
    if domain == "ai.onnx.ml":
        return 0
    return max((e.version for e in model.opset_import if e.domain == domain), default=0)


def _check_graph(graph: GraphProto, depth: int) -> None:
    """Check that a graph, and those within, read no file."""
    if depth > _MAX_DEPTH:
        raise BundleError(f"the ONNX model nests graphs deeper than {_MAX_DEPTH} levels")
    for tensor in graph.initializer:
        _check_tensor(tensor)
    for sparse in graph.sparse_initializer:
        _check_tensor(sparse.values)
        _check_tensor(sparse.indices)
    for node in graph.node:
        for tensor in _tensors(node):
            _check_tensor(tensor)
        for attribute in node.attribute:
            words((attribute.s, *attribute.strings))
        check_trees(node)
        for inner in inner_graphs(node):
            _check_graph(inner, depth + 1)


def words(given: Iterable[bytes]) -> list[str]:
    """Return words of a graph as text.

    Raises:
        BundleError: One is no UTF-8.
    """
    found = []
    for word in given:
        try:
            found.append(word.decode())
        except UnicodeDecodeError:
            raise BundleError(
                f"the ONNX model holds {shown(word)}, which is no text in UTF-8, as ONNX has it; "
                "decode the words of its categories and classes before it is trained and exported"
            ) from None
    return found


def _check_tensor(tensor: TensorProto) -> None:
    words(tensor.string_data)
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        raise BundleError(
            f"the ONNX model keeps {tensor.name!r} outside of it, in {shown(where)}, and a bundle "
            "reads no other file; pass the path of the .onnx file with its data files beside it, "
            "and the bundle holds them"
        )


def _tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield attribute.sparse_tensor.values
            yield attribute.sparse_tensor.indices
        for sparse in attribute.sparse_tensors:
            yield sparse.values
            yield sparse.indices


def inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs of a node: branches and bodies of loops."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH or attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from _nodes(inner)
