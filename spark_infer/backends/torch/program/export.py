"""torch.export: a model's graph, traced once when it is saved. No code of the model runs later."""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import logging
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, OutputKind
from torch.utils import _pytree as pytree

from spark_infer.backends.failures.fault import raised_at
from spark_infer.backends.module_path import MODULE_FORMAT
from spark_infer.backends.torch.backend import in_order
from spark_infer.backends.torch.eager import in_eval_mode
from spark_infer.backends.torch.program.graph import read_graph
from spark_infer.backends.torch.program.guards import Shape
from spark_infer.backends.torch.program.lengths import check_lengths, fixed_length
from spark_infer.backends.torch.program.program import Program, Tensor
from spark_infer.backends.torch.weights import save_weights
from spark_infer.bundle import InputTensor, RaggedInput, Signature
from spark_infer.errors import BundleError, SparkInferError

_ROWS = 3
_LENGTH = 13
_NOT_HELD = "an assertion in forward() does not hold"


@dataclass(frozen=True)
class Export:
    """A traced model, ready to be written.

    Attributes:
        program: Its graph.
        tensors: Its weights by name.
    """

    program: Program
    tensors: Mapping[str, torch.Tensor]

    def write(self, root: Path) -> None:
        """Write program and weights under ``root``."""
        self.program.write(root)
        save_weights(root, self.tensors)


def export(
    model: torch.nn.Module,
    signature: Signature,
    *,
    one_row: bool = False,
    shown: Collection[Shape] = (),
) -> Export:
    """Trace a model with any number of rows, and any length of ragged inputs.

    Args:
        model: Runs on the signature's tensors; it is left as it was.
        signature: Its inputs and outputs.
        one_row: Trace it with one row at a time instead.
        shown: Shapes of batches for which the program is compared with the model later.

    Raises:
        BundleError: It cannot be traced so, or it calls what a stored program cannot.
    """
    name = type(model).__name__
    arguments = _examples(signature, 1 if one_row else _ROWS)
    shapes = _as_taken(model, _dynamic_shapes(signature, one_row=one_row))
    try:
        with in_eval_mode(model), _quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.export.export(model, arguments, dynamic_shapes=shapes)
            _keep_assertions(traced.graph_module)
            # Without operators that write to their arguments; no other one is taken apart.
            traced = traced.run_decompositions({})
    except Exception as error:
        # torch.export raises many private types, and user code anything at all.
        cause = f"{_first_line(error)}{raised_at(error)}{_recurrent(model, signature)}"
        raise BundleError(
            f"{name} cannot be exported by torch.export with a dynamic number of rows and dynamic "
            f"lengths: {cause}; {MODULE_FORMAT}"
        ) from None
    try:
        shapes_taken = _user_inputs(traced)
        check_lengths(
            shapes_taken,
            signature,
            traced.range_constraints,
            _guards(shapes_taken.values()),
            one_row=one_row,
            shown=shown,
        )
        return _stored(traced, [output.tensor_name for output in signature.outputs])
    except SparkInferError as error:
        raise BundleError(f"{name} cannot be exported: {error}") from None


def _stored(traced: ExportedProgram, outputs: list[str]) -> Export:
    specs = {spec.arg.name: spec for spec in traced.graph_signature.input_specs}
    for spec in traced.graph_signature.output_specs:
        # A program gives an input that is written to a new value, which nobody asks for.
        if spec.kind not in (OutputKind.USER_OUTPUT, OutputKind.USER_INPUT_MUTATION):
            raise BundleError(
                f"it changes {spec.target!r} while it predicts, so later answers would depend on "
                "earlier rows; take that out of forward()"
            )
    (result,) = traced.graph.output_node().args
    given = [
        value
        for value, spec in zip(result, traced.graph_signature.output_specs, strict=True)
        if spec.kind == OutputKind.USER_OUTPUT
    ]
    values = in_order(pytree.tree_unflatten(given, traced.call_spec.out_spec), outputs)
    graph = read_graph(traced.graph, values, traced.graph_module)
    tensors = [
        Tensor(name=name, tensor=str(specs[name].target), kind=_kind(specs[name]))
        for name in graph.inputs
        if specs[name].kind != InputKind.USER_INPUT
    ]
    inputs = [name for name in graph.inputs if specs[name].kind == InputKind.USER_INPUT]
    program = Program(inputs=inputs, tensors=tensors, nodes=graph.nodes, outputs=graph.outputs)
    known = {**traced.constants, **traced.state_dict}
    return Export(program, {tensor.tensor: known[tensor.tensor] for tensor in tensors})


def _keep_assertions(graphs: torch.nn.Module) -> None:
    """Give assertions without a message one: torch drops them where it takes operators apart."""
    for part in graphs.modules():
        if not isinstance(part, torch.fx.GraphModule):
            continue
        for node in part.graph.nodes:
            if node.target == torch.ops.aten._assert_async.default:
                node.target = torch.ops.aten._assert_async.msg
                node.args = (*node.args, _NOT_HELD)
        part.recompile()


def _kind(spec: InputSpec) -> Any:
    if spec.kind == InputKind.PARAMETER:
        return "parameter"
    if spec.kind in (InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
        return "buffer"
    raise BundleError(f"it holds {spec.target!r}, a {spec.kind.name.lower()}; hold tensors only")


def _user_inputs(traced: ExportedProgram) -> dict[str, tuple[Any, ...]]:
    """Return the traced shape of each tensor that the model takes, in order."""
    names = traced.graph_signature.user_inputs
    placeholders = {node.name: node for node in traced.graph.nodes if node.op == "placeholder"}
    return {str(name): tuple(placeholders[str(name)].meta["val"].shape) for name in names}


def _guards(shapes: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Return what tracing took for granted of the symbols in some shapes."""
    found: dict[Any, None] = {}
    for size in itertools.chain.from_iterable(shapes):
        if isinstance(size, torch.SymInt):
            known = size.node.shape_env
            found |= {guard.expr.xreplace(known.replacements): None for guard in known.guards}
    return list(found)


def _dynamic_shapes(signature: Signature, *, one_row: bool) -> tuple[dict[int, Any], ...]:
    shapes = []
    for item in signature.inputs:
        dynamic: dict[int, Any] = {} if one_row else {0: Dim.AUTO}
        if isinstance(item, RaggedInput) and fixed_length(item) is None:
            multiple = item.pad_multiple
            dynamic[1] = Dim.AUTO if multiple == 1 else multiple * Dim(f"{item.name}_multiple")
        shapes += [dynamic] * len(item.tensor_names)
    return tuple(shapes)


def _as_taken(model: torch.nn.Module, shapes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the shapes as torch.export wants them: those of ``*tensors`` are one argument."""
    for index, parameter in enumerate(inspect.signature(model.forward).parameters.values()):
        if parameter.kind is parameter.VAR_POSITIONAL and index < len(shapes):
            return (*shapes[:index], shapes[index:])
    return shapes


def _examples(signature: Signature, rows: int) -> tuple[torch.Tensor, ...]:
    """Make tensors of the shapes and types that the model gets; only their shapes are traced."""
    examples = []
    length = _LENGTH
    for item in signature.inputs:
        lead: tuple[int, ...] = (rows,)
        if isinstance(item, RaggedInput):
            longest = length * item.pad_multiple
            longest = fixed_length(item) or min(longest, item.max_length or longest)
            lead = (rows, longest)
            length += 2  # so that a model that wants equal lengths of two inputs shows it
        examples += [_example(tensor, lead, item.item_shape) for tensor in item.tensors]
    return tuple(examples)


def _example(
    tensor: InputTensor, lead: tuple[int, ...], item_shape: tuple[int, ...]
) -> torch.Tensor:
    shape = lead if tensor.role == "mask" else (*lead, *item_shape)
    fill = np.ones if tensor.role in ("mask", "present") else np.zeros
    return torch.from_numpy(fill(shape, tensor.dtype))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging and printing what the error says; what else is printed is kept."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
        sys.stderr.write(printed.getvalue())
    finally:
        logger.setLevel(level)


def _recurrent(model: torch.nn.Module, signature: Signature) -> str:
    """Say which layer cannot be traced over a length that varies, if there is one."""
    varying = [item.name for item in signature.ragged if item.pad_to is None]
    layers = [part for part in model.modules() if isinstance(part, torch.nn.RNNBase)]
    if not varying or not layers:
        return ""
    layer = type(layers[0]).__name__
    return f" (no {layer} can be exported where the length varies, as that of {varying[0]!r} does)"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
