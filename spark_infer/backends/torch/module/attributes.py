"""Attributes that a module's code reads and a bundle does not hold, against those of a new one.

Random rows show a threshold, but hardly a table by ids that was filled after the module was made.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator, Mapping, Set
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch

from spark_infer.backends.torch.state.code import names_in
from spark_infer.backends.torch.state.kept import PLAIN
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError

_FILLS = frozenset({"add", "append", "extend", "insert", "pop", "setdefault", "update"})
"""Methods by which code fills a container: what it holds may then be a memory of earlier rows."""


def check_attributes(model: torch.nn.Module, made: torch.nn.Module) -> None:
    """Compare what a model's code reads with what it would read where a bundle is loaded.

    Compared are attributes of plain values, of tensors and arrays, and of containers of these, and
    buffers that are no part of the state. Those that the code itself writes are left alone, and
    those of parts with hooks that run before it, which write what norms of weights make.

    Args:
        model: The model.
        made: One that was made from its class and arguments.

    Raises:
        BundleError: An attribute is another one.
    """
    others = dict(made.named_modules())
    stored = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
    for path, part in model.named_modules():
        other = others.get(path)
        if other is None or type(part) is not type(other) or part._forward_pre_hooks:
            continue
        theirs = dict(_attributes(other))
        read, writes = _read_by(type(part))
        for name, value in _attributes(part):
            if name not in read or name not in theirs:
                continue
            if not _is_other(value, theirs[name], stored):
                continue
            if writes and isinstance(value, Mapping | Set | list):
                continue
            raise BundleError(
                f"the model's {f'{path}.{name}'.removeprefix('.')!r} is {shown(value)}, and "
                f"{shown(theirs[name])} in one that is made from its class and arguments, as where "
                "the bundle is loaded; pass it as an argument of the class, or keep it in a buffer "
                "that is part of the state"
            )


def _attributes(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a module holds beside its state, by name, but for its mode."""
    yield from ((name, value) for name, value in vars(module).items() if name != "training")
    for name in module._non_persistent_buffers_set:
        yield name, module._buffers[name]


def _read_by(kind: type) -> tuple[set[str], bool]:
    """Return the names that calling a module may read and does not write.

    Beside them stands whether its code may fill containers.
    """
    codes = list(_codes_of(kind))
    calls = [call for code in codes for call in dis.get_instructions(code)]
    written = {call.argval for call in calls if call.opname in ("STORE_ATTR", "DELETE_ATTR")}
    # As setattr() and register_buffer() have them.
    written |= {one for code in codes for one in code.co_consts if isinstance(one, str)}
    names = {name for code in codes for name in names_in(code)}
    fills = not _FILLS.isdisjoint(names) or any(call.opname == "STORE_SUBSCR" for call in calls)
    return names - written, fills


def _codes_of(kind: type) -> Iterator[CodeType]:
    """Yield the code of ``forward`` and of the class's functions that it names, and they name."""
    seen, left = set[str](), ["forward"]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        for code in _codes(getattr(kind, name, None)):
            yield code
            left += names_in(code)


def _codes(value: object) -> Iterable[CodeType]:
    functions = (value.fget,) if isinstance(value, property) else (value,)
    for function in functions:
        # What a decorator makes of a function keeps that.
        while (inner := getattr(function, "__wrapped__", None)) is not None:
            function = inner
        if isinstance(function, FunctionType):
            yield from _with_inner(function.__code__)


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)


def _is_other(one: Any, other: Any, stored: Set[int]) -> bool:
    """Tell whether two values of kinds that can be compared are not the same.

    Args:
        one: A value of the model.
        other: The value in its place.
        stored: Identities of the tensors that are stored with the model.
    """
    if id(one) in stored:
        return False
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape != other.shape or not _all_same(one, other.to(one.dtype))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape != other.shape or not _all_same(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if not {type(key) for key in (*one, *other)} <= PLAIN:
            return False
        return one.keys() != other.keys() or any(
            _is_other(one[key], other[key], stored) for key in one
        )
    if isinstance(one, Set) and isinstance(other, Set):
        return {type(value) for value in (*one, *other)} <= PLAIN and one != other
    # JSON makes lists of the tuples among arguments.
    if all(isinstance(value, list | tuple) for value in (one, other)):
        pairs = zip(one, other, strict=False)
        return len(one) != len(other) or any(_is_other(*pair, stored) for pair in pairs)
    if not {type(one), type(other)} <= PLAIN:
        return False
    return bool(one != other and (one == one or other == other))


def _all_same(one: Any, other: Any) -> bool:
    same = (one == other) | ((one != one) & (other != other))
    return bool(same.all())
