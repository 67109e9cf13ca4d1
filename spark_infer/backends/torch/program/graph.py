"""Programs to torch modules, and traced graphs to programs."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from torch import fx

from spark_infer.backends.torch.program.operators.admitted import (
    draws,
    find_operator,
    find_overload,
    operator_name,
)
from spark_infer.backends.torch.program.operators.arguments import check_call
from spark_infer.backends.torch.program.program import Graph, Node, Program
from spark_infer.backends.torch.weights import map_weights
from spark_infer.errors import BundleError

_DTYPES = """
    bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64
    complex32 complex64 complex128 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz
    float8_e8m0fnu
    """.split()  # noqa: SIM905 - a list in quotes would be a page for each letter
_CONSTANTS: dict[str, dict[str, Any]] = {
    kind: {name: getattr(torch, name) for name in names if hasattr(torch, name)}
    for kind, names in (
        ("dtype", _DTYPES),
        ("layout", ["strided"]),
        (
            "memory_format",
            ["contiguous_format", "preserve_format", "channels_last", "channels_last_3d"],
        ),
    )
}
"""Those of plain tensors: kernels of quantized and sparse ones trust what is stored in them."""
_FLOATS = {str(value): value for value in (math.nan, math.inf, -math.inf)}
_HERE = "here"
_MAX_DEPTH = 20
_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)_l[0-9]+(_reverse)?")


def load_program(
    root: Path, device: str, num_inputs: int, *, stochastic: bool = False
) -> torch.nn.Module:
    """Return a bundle's program as a module, with its weights mapped.

    Args:
        root: The bundle's directory.
        device: Where the program makes its own tensors. The weights are mapped on the host: the
            caller moves them.
        num_inputs: How many tensors it is called with.
        stochastic: Whether it may draw random numbers.

    Raises:
        BundleError: The program is damaged, or calls what it may not.
    """
    try:
        program = Program.read(root)
        if len(program.inputs) != num_inputs:
            raise BundleError(
                f"its program takes {len(program.inputs)} tensors, its signature says {num_inputs}"
            )
        module = build_module(
            program, map_weights(root), torch.device(device), stochastic=stochastic
        )
    except BundleError as error:
        raise BundleError(f"bundle {root}: {error}") from None
    # Its class is its own. fx wraps the call to describe the program's source when it raises: slow
    # where rows at fault are searched for, and nothing that its user wrote.
    type(module).__call__ = torch.nn.Module.__call__  # type: ignore[method-assign]
    return module


def build_module(
    program: Program,
    tensors: Mapping[str, torch.Tensor],
    device: torch.device,
    *,
    stochastic: bool = False,
) -> fx.GraphModule:
    """Return a module that runs a program and returns a tuple of its outputs.

    Args:
        program: The program.
        tensors: Its weights by name, as they are stored.
        device: Where it makes its own tensors.
        stochastic: Whether it may draw random numbers.

    Raises:
        BundleError: The program calls what it may not, or names a value that is not there.
    """
    missing = {tensor.tensor for tensor in program.tensors} ^ set(tensors)
    if missing:
        raise BundleError(
            f"program and weights do not fit: {min(missing)!r} is in one of them only"
        )
    places: dict[str, str] = {}
    weights = {
        tensor.name: (_place(tensor.tensor, places), _as_kind(tensors[tensor.tensor], tensor.kind))
        for tensor in program.tensors
    }
    return _Builder(device, stochastic=stochastic).build(program, weights)


def _place(name: str, places: dict[str, str]) -> str:
    """Return where a weight goes in the module: no name of a bundle becomes one of the module's.

    Weights of one part stay together, under their own names where these are ones that a backend
    knows: it stores recurrent weights by their names.
    """
    part, _, leaf = name.rpartition(".")
    holder = places.setdefault(part, f"part_{len(places)}")
    if not _RECURRENT.fullmatch(leaf):
        leaf = places.setdefault(name, f"weight_{len(places)}")
    return f"{holder}.{leaf}"


def _as_kind(tensor: torch.Tensor, kind: str) -> torch.Tensor:
    return torch.nn.Parameter(tensor, requires_grad=False) if kind == "parameter" else tensor


class _Builder:
    """Builds a graph, and the branches of its conditions, which are graphs inside of it.

    Args:
        device: Where it makes its own tensors.
        stochastic: Whether the program may draw random numbers.
        depth: How many graphs it stands in.
    """

    def __init__(self, device: torch.device, *, stochastic: bool, depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            raise BundleError("the program's conditions are nested too deep")
        self._device = device
        self._stochastic = stochastic
        self._depth = depth
        self._graph = fx.Graph()
        self._values: dict[str, fx.Node] = {}
        self._attributes: dict[str, Any] = {}

    def build(
        self, graph: Graph, weights: Mapping[str, tuple[str, torch.Tensor]]
    ) -> fx.GraphModule:
        """Return the module of a graph. Names of the program stay out of the generated code."""
        for index, name in enumerate(graph.inputs):
            self._define(name, self._graph.placeholder(f"input_{index}"))
        for name, (path, tensor) in weights.items():
            self._attributes[path] = tensor
            self._define(name, self._graph.get_attr(path))
        for call in graph.nodes:
            self._define(call.name, self._call(call))
        self._graph.output(tuple(self._argument(value) for value in graph.outputs))
        return fx.GraphModule(self._attributes, self._graph)

    def _call(self, call: Node) -> fx.Node:
        overload = find_overload(call.operator)
        if not self._stochastic and draws(overload, call.arguments, call.named):
            raise BundleError(
                f"its program draws random numbers ({call.operator!r}), and the bundle does "
                "not say so; save it with stochastic=True"
            )
        arguments = [self._argument(value) for value in call.arguments]
        named = {key: self._argument(value) for key, value in call.named.items()}
        check_call(call, overload)
        return self._graph.call_function(find_operator(call.operator), tuple(arguments), named)

    def _inner(self) -> _Builder:
        return _Builder(self._device, stochastic=self._stochastic, depth=self._depth + 1)

    def _define(self, name: str, node: fx.Node) -> None:
        if name in self._values:
            raise BundleError(f"the program defines {name!r} twice")
        self._values[name] = node

    def _argument(self, value: JsonValue) -> Any:
        if isinstance(value, list):
            return [self._argument(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise BundleError(f"the program holds an argument with the keys {list(value)}")
        ((kind, content),) = value.items()
        if kind == "node":
            return self._value(content)
        if kind == "graph":
            return self._branch(content)
        if kind == "device" and content == _HERE:
            return self._device
        known = _FLOATS if kind == "float" else _CONSTANTS.get(kind, {})
        if not isinstance(content, str) or content not in known:
            raise BundleError(f"the program holds {kind!r}: {content!r}, which is no argument")
        return known[content]

    def _value(self, name: object) -> fx.Node:
        if not isinstance(name, str) or name not in self._values:
            raise BundleError(f"the program uses {name!r} before it is defined")
        return self._values[name]

    def _branch(self, content: JsonValue) -> fx.Node:
        try:
            graph = Graph.of(content)
        except ValueError as error:
            raise BundleError(f"a branch of the program is no graph: {error}") from None
        # No tensor's name begins so.
        path = f"__branch_{len(self._attributes)}"
        self._attributes[path] = self._inner().build(graph, {})
        return self._graph.get_attr(path)


def read_graph(graph: fx.Graph, outputs: Sequence[object], owner: torch.nn.Module) -> Graph:
    """Return a traced graph as a program's.

    Args:
        graph: Calls of operators.
        outputs: The values that it returns.
        owner: The module that holds the graphs of its conditions.

    Raises:
        BundleError: A call or a value cannot be stored.
    """
    inputs = [node.name for node in graph.nodes if node.op == "placeholder"]
    nodes = [
        Node(
            name=node.name,
            operator=operator_name(node.target),
            arguments=[_stored(value, owner) for value in node.args],
            named={
                key: _stored(value, owner)
                for key, value in node.kwargs.items()
                # It is how a tensor lies in memory, which follows from the calls.
                if (key, str(node.target)) != ("memory_format", "aten.empty.memory_format")
            },
        )
        for node in graph.nodes
        if node.op == "call_function"
    ]
    return Graph(inputs=inputs, nodes=nodes, outputs=[_stored(value, owner) for value in outputs])


def _stored(value: object, owner: torch.nn.Module) -> Any:
    """Return an argument of a traced call as a program's argument."""
    if isinstance(value, fx.Node):
        return {"node": value.name} if value.op != "get_attr" else _stored_branch(value, owner)
    if isinstance(value, list | tuple):
        return [_stored(item, owner) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.device):
        return {"device": _HERE}
    for kind, constants in _CONSTANTS.items():
        for name, constant in constants.items():
            if value is constant:
                return {kind: name}
    raise BundleError(f"it passes {value!r} to an operator, which a stored program cannot hold")


def _stored_branch(node: fx.Node, owner: torch.nn.Module) -> Any:
    branch = operator.attrgetter(str(node.target))(owner)
    if not isinstance(branch, fx.GraphModule):
        raise BundleError(f"it holds {node.target}, a {type(branch).__name__}, outside its weights")
    (result,) = branch.graph.output_node().args
    outputs = result if isinstance(result, list | tuple) else (result,)
    return {"graph": read_graph(branch.graph, outputs, branch).model_dump()}
