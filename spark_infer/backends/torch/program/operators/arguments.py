"""Arguments of stored calls, against what their operators declare.

torch converts: a number becomes the type, layout or memory format of that number, or the branch of
a kernel that has none, and memory is then read as what it is not. So each argument must be what the
operator's schema says, by its real types, and a number that stands for a choice one of the choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from pydantic import JsonValue
from torch._ops import OpOverload

from spark_infer.backends.torch.program.program import Node
from spark_infer.errors import BundleError

_INT64 = range(-(2**63), 2**63)
_INT32 = range(-(2**31), 2**31)

CHOICES: dict[str, range] = {
    "compute_mode": range(3),
    "edge_order": range(1, 3),
    "interpolation_mode": range(3),
    "mode": range(3),
    "padding_mode": range(3),
    "reduction": range(3),
    # Positions: kernels make products of them, which overflow.
    **dict.fromkeys(("dilation", "kernel_size", "output_padding", "padding", "stride"), _INT32),
}
"""Whole numbers that kernels take on trust, by argument: choices, and sizes of windows."""

_WRITE = {"aten.batch_norm.default": "training", "aten.instance_norm.default": "use_input_stats"}
"""Flags with which operators write to statistics that they are given, though no schema says so."""

_TAGS = {
    "ScalarTypeType": "dtype",
    "LayoutType": "layout",
    "MemoryFormatType": "memory_format",
    "DeviceObjType": "device",
}

Fits = Callable[[JsonValue], bool]


def check_call(call: Node, overload: OpOverload | None) -> None:
    """Raise BundleError unless a call's arguments are of the kinds that its operator takes.

    Args:
        call: The call; what its nodes and tags refer to is not looked at.
        overload: torch's own operator of that name, None for one that is not torch's.
    """
    if overload is None:
        _check_other(call)
        return
    declared = overload._schema.arguments
    by_place = [argument for argument in declared if not argument.kwarg_only]
    if len(call.arguments) > len(by_place):
        raise _error(call, f"at most {len(by_place)} arguments by place", len(call.arguments))
    given = {
        argument.name: value for argument, value in zip(by_place, call.arguments, strict=False)
    }
    known = {argument.name for argument in declared} - given.keys()
    for name in call.named:
        if name not in known:
            raise _error(call, "each of its own arguments once", name)
    given |= call.named
    for argument in declared:
        if argument.name in given:
            _check_declared(call, argument, given[argument.name])
        elif not argument.has_default_value():
            raise _error(call, f"an argument {argument.name!r}", None)
    flag = _WRITE.get(call.operator)
    statistics = (given.get("running_mean"), given.get("running_var"))
    if flag is not None and given[flag] is not False and statistics != (None, None):
        raise _error(call, f"false as {flag!r} beside running statistics", given[flag])


def _check_declared(call: Node, argument: Any, value: JsonValue) -> None:
    kind = argument.real_type
    numbers = torch._C._should_allow_numbers_as_tensors(call.operator.split(".")[1])
    if not _fits(value, kind, numbers_as_tensors=numbers):
        raise _error(call, f"{kind} as {argument.name!r}", value)
    if "int" not in str(kind):
        # Bytes that are neither false nor true are no booleans, and kernels count on it.
        if call.operator == "aten.view.dtype" and value == {"dtype": "bool"}:
            raise _error(call, f"another type as {argument.name!r}", value)
        return
    limits = CHOICES.get(argument.name, _INT64)
    for number in _flat(value):
        if isinstance(number, int):
            fits = number in limits
        else:
            fits = number is None or argument.name not in CHOICES
        if not fits:
            raise _error(call, f"{limits[0]} to {limits[-1]} as {argument.name!r}", number)


def _flat(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _fits(value: JsonValue, kind: Any, *, numbers_as_tensors: bool) -> bool:
    """Return whether a value is of a declared type: a node, where what it gives may be that."""
    name = kind.kind()
    if name == "OptionalType":
        inner = kind.getElementType()
        return value is None or _fits(value, inner, numbers_as_tensors=numbers_as_tensors)
    if name == "ListType":
        inner = kind.getElementType()
        return isinstance(value, list) and all(
            _fits(item, inner, numbers_as_tensors=False) for item in value
        )
    if name in _TAGS:
        return _is_tag(value, _TAGS[name])
    if name == "TensorType":
        return _is_tag(value, "node") or (numbers_as_tensors and _is_number(value))
    if name in ("IntType", "SymIntType"):
        # A trace holds a size as a node where its operator can take one, and else as a number.
        is_size = name == "SymIntType" and _is_tag(value, "node")
        return is_size or (isinstance(value, int) and not isinstance(value, bool))
    if name == "FloatType":
        return _is_tag(value, "node") or (_is_number(value) and not isinstance(value, bool))
    if name == "NumberType":
        return _is_size(value)
    if name == "BoolType":
        return isinstance(value, bool)
    return name == "StringType" and isinstance(value, str)


def _is_tag(value: JsonValue, kind: str) -> bool:
    return isinstance(value, dict) and list(value) == [kind]


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, bool | int | float) or _is_tag(value, "float")


def _is_size(value: JsonValue) -> bool:
    return _is_number(value) or _is_tag(value, "node")


def _is_flag(value: JsonValue) -> bool:
    return isinstance(value, bool)


def _is_branch(value: JsonValue) -> bool:
    return _is_tag(value, "graph")


def _are_sizes(value: JsonValue) -> bool:
    return isinstance(value, list) and all(map(_is_size, value))


_OTHERS: dict[str, Sequence[Fits]] = {
    "higher_order.cond": (_is_size, _is_branch, _is_branch, _are_sizes),
    "higher_order.wrap_with_set_grad_enabled": (_is_flag, _is_branch),
    "higher_order.wrap_with_autocast": (
        lambda value: isinstance(value, str),
        lambda value: value is None or _is_tag(value, "dtype"),
        _is_flag,
        lambda value: value is None or _is_flag(value),
        _is_branch,
    ),
    "torch.sym_sum": (_are_sizes,),
}
"""What those that are not torch's take first; everything else is a number or a node."""


def _check_other(call: Node) -> None:
    if call.named:
        raise _error(call, "no arguments by name", [*call.named])
    first = _OTHERS.get(call.operator, ())
    if len(call.arguments) < len(first):
        raise _error(call, f"at least {len(first)} arguments", len(call.arguments))
    for place, value in enumerate(call.arguments):
        fits = first[place] if place < len(first) else _is_size
        if not fits(value):
            raise _error(call, f"another kind of argument at place {place}", value)


def _error(call: Node, expected: str, found: object) -> BundleError:
    text = repr(found)
    text = text if len(text) <= 80 else f"{text[:80]}..."
    return BundleError(f"operator {call.operator!r} takes {expected}, not {text}")
