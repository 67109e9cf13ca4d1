"""The operators that a stored program may call, by name.

A bundle may come from anywhere, and ``torch.ops`` reaches further than arithmetic: ``aten.save``
writes a pickle, ``aten.from_file`` maps a file, ``aten.as_strided_`` reads any address. So an
operator is admitted by its name, and if its schema says that it writes to nothing that it is given.
Where a schema does not say all, ``arguments`` refuses the calls that would write.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pydantic import JsonValue
from torch._ops import HigherOrderOperator, OpOverload

from spark_infer.backends.torch.program.operators.checked import CHECKED
from spark_infer.backends.torch.program.operators.names import ATEN, INTERNAL, OVERLOADS
from spark_infer.errors import BundleError

Operator = Callable[..., Any]

_ATEN = re.compile(r"aten\.(\w{1,100})\.([A-Za-z]\w{0,100})", re.ASCII)


def with_gradients(enabled: bool, body: Operator, *arguments: object) -> Any:
    """Run the body of a ``torch.no_grad()`` or ``torch.enable_grad()`` block."""
    with torch.set_grad_enabled(enabled):
        return body(*arguments)


def with_autocast(
    kind: str, dtype: torch.dtype, enabled: bool, cached: bool, body: Operator, *arguments: object
) -> Any:
    """Run the body of a ``torch.autocast()`` block."""
    with torch.autocast(kind, dtype, enabled, cached):
        return body(*arguments)


_BLOCKS: dict[str, Operator] = {
    "wrap_with_set_grad_enabled": with_gradients,
    "wrap_with_autocast": with_autocast,
}
"""What runs in the place of torch's own, which load its compiler first: seconds in each process."""


_FILLED: dict[str, str] = {
    "aten.empty.memory_format": "aten.zeros.default",
    "aten.empty_like.default": "aten.zeros_like.default",
    "aten.new_empty.default": "aten.new_zeros.default",
}
"""What is stored in the place of an operator whose result is memory that nobody has filled.

A trace has them where the code fills a new tensor at once, with random numbers for one.
"""
_SWITCHES = ("train", "training")
_SHARES = ("dropout_p",)

_REPLACED: dict[str, Operator] = {
    **CHECKED,
    # A view is possible by the strides that were traced, which other devices need not have.
    "aten.view.default": torch.ops.aten.reshape.default,
    "aten._unsafe_view.default": torch.ops.aten.reshape.default,
}
"""What runs in the place of an operator, for the same values."""

_OTHERS: dict[str, Operator] = {
    **{
        f"operator.{name}": getattr(operator, name)
        for name in (
            *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs"),
            *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_", "getitem"),
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
    "builtins.round": round,
    **{
        f"torch.{name}": getattr(torch, name)
        for name in (
            *("sym_float", "sym_int", "sym_max", "sym_min", "sym_not", "sym_ite", "sym_sum"),
            *("_sym_sqrt",),
        )
    },
    "higher_order.cond": torch.ops.higher_order.cond,
    **{f"higher_order.{block}": function for block, function in _BLOCKS.items()},
}
"""Arithmetic on sizes, and branches and blocks over graphs of the same kind."""

_NAME_OF: dict[object, str] = {
    **{function: name for name, function in _OTHERS.items()},
    **{getattr(torch.ops.higher_order, block): f"higher_order.{block}" for block in _BLOCKS},
}


def find_operator(name: str) -> Operator:
    """Return what runs as the operator of this name.

    Raises:
        BundleError: It is not admitted, or this torch does not have it.
    """
    overload = find_overload(name)
    return _OTHERS[name] if overload is None else _REPLACED.get(name, overload)


def find_overload(name: str) -> OpOverload | None:
    """Return torch's own operator of this name, None for one that is not torch's.

    Raises:
        BundleError: It is not admitted, or this torch does not have it.
    """
    if name in _OTHERS:
        return None
    match = _ATEN.fullmatch(name)
    if match is None or not _is_admitted(*match.groups()):
        raise BundleError(f"operator {name!r} is not one that a program may call")
    base, overload = match.groups()
    try:
        found = getattr(getattr(torch.ops.aten, base), overload)
    except AttributeError:
        raise BundleError(f"torch {torch.__version__} has no operator {name!r}") from None
    assert isinstance(found, OpOverload)
    return found


def operator_name(target: object) -> str:
    """Return the name under which a program's operator is stored.

    Raises:
        BundleError: It is not admitted.
    """
    name = _NAME_OF.get(target) if callable(target) else None
    if name is None and isinstance(target, OpOverload) and target.namespace == "aten":
        name = _FILLED.get(str(target), str(target))
    if name is None:
        what = str(target) if isinstance(target, OpOverload | HigherOrderOperator) else repr(target)
        raise BundleError(f"it calls {what}, which a stored program cannot call")
    find_operator(name)
    return name


def draws(
    function: OpOverload | None, arguments: Sequence[JsonValue], named: Mapping[str, JsonValue]
) -> bool:
    """Return whether a call draws random numbers.

    Dropout, recurrent layers and attention do where they are told that this is training.
    """
    if function is None or torch.Tag.nondeterministic_seeded not in function.tags:
        return False
    for place, argument in enumerate(function._schema.arguments):
        value = argument.default_value if argument.has_default_value() else None
        value = arguments[place] if place < len(arguments) else named.get(argument.name, value)
        if argument.name in _SWITCHES and value is False:
            return False
        if argument.name in _SHARES and isinstance(value, int | float) and value == 0:
            return False
    return True


def _is_admitted(base: str, overload: str) -> bool:
    if (base not in ATEN and base not in INTERNAL) or OVERLOADS.get(base, overload) != overload:
        return False
    try:
        # Only what runs by dispatch: torch.ops also finds functions of the old TorchScript runtime.
        full_name = (f"aten::{base}", "" if overload == "default" else overload)
        torch._C._dispatch_find_schema_or_throw(*full_name)
        schema = torch._C._get_schema(*full_name)
    except RuntimeError:
        return False
    return not any(
        argument.is_out or (argument.alias_info is not None and argument.alias_info.is_write)
        for argument in schema.arguments
    )
