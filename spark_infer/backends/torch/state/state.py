"""A model's state: how what it may change is found."""

from __future__ import annotations

import functools
import io
import logging
import threading
from array import array
from collections import UserDict, UserList, deque
from collections.abc import Iterator, Sequence
from types import (
    BuiltinMethodType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import torch

from spark_infer.backends.torch.state.code import UserCode, names_in
from spark_infer.backends.torch.state.kept import (
    Array,
    Buffer,
    Collection,
    Fixed,
    Kept,
    built_in,
    keep_tensor,
    num_bytes,
)
from spark_infer.backends.torch.state.places import (
    Attributes,
    ClassAttributes,
    Globals,
    Items,
    Slots,
    Variables,
)

_REGISTERS = ("_parameters", "_buffers", "_modules")
"""Attributes of a module whose items are attributes of it to everyone else."""

_HELD = (torch.nn.Module, torch.Tensor, np.ndarray, dict, list, deque, set, tuple)
"""What a model itself consists of, however much that is."""

_LEFT = (ModuleType, logging.Logger, logging.Handler, threading.Thread, io.IOBase)
"""What belongs to the process, also where the user's own class is one of these."""

_OPEN = (
    torch.nn.Module,
    torch.Tensor,
    functools.partial,
    SimpleNamespace,
    UserDict,
    UserList,
    WeakKeyDictionary,
    WeakValueDictionary,
)
"""Kinds of others that keep what they are given in attributes."""

_MOST_PLACES = 100_000
_MOST_BYTES = 100_000_000


class State:
    """A model as it is when this is made, with what its code may change beside it.

    It is followed through its modules, plain containers, tensors and arrays, whose memory is
    copied; then through the user's code: the attributes of its objects and classes (in slots, too),
    functions with their attributes, default arguments and variables of the functions around them,
    partials, and the globals that its code names. The user's code is what is neither Python's nor
    installed, and the files that define the model's classes. Beyond the model's own modules and
    containers, 100,000 objects and items and 100 MB of numbers are followed, in the order of how
    near they are; what does not fit is not.

    Not looked into is what else a model refers to, such as a tokenizer, an iterator, a generator of
    random numbers, what ``functools.lru_cache`` remembers, a file, lock, thread or logger.

    Args:
        model: The model.

    Attributes:
        registered: Names of its weights and buffers.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        tensors = [
            *model.named_parameters(remove_duplicate=False),
            *model.named_buffers(remove_duplicate=False),
        ]
        self._names = {id(tensor): name for name, tensor in reversed(tensors)}
        self.registered = {name for name, _ in tensors}
        self._code = UserCode({type(part).__module__ for part in model.modules()})
        self._kept: list[Kept] = []
        self._follow(model)

    def changed(self) -> list[str]:
        """Return the names of what is not as it was, such as ``"encoder.mean"``.

        A global has its module's name before it: ``"helpers:mean"``.
        """
        return list(dict.fromkeys(name for kept in self._kept for name in kept.changed()))

    def restore(self) -> None:
        """Put everything back as it was, and leave alone what did not change."""
        for kept in self._kept:
            kept.restore()

    def forget_weights(self) -> None:
        """Give back the memory of the copies of weights and buffers, which stay as they are now."""
        self._kept = [
            kept
            for kept in self._kept
            if not (isinstance(kept.value, torch.Tensor) and id(kept.value) in self._names)
        ]

    def _follow(self, model: torch.nn.Module) -> None:
        held: deque[tuple[str, Any]] = deque([("", model)])
        beside: deque[tuple[str, Any]] = deque()
        seen: set[int] = set()
        places, size = _MOST_PLACES, _MOST_BYTES
        while held or beside:
            nearest = held or beside
            name, value = nearest.popleft()
            if id(value) in seen:
                continue
            if nearest is beside:
                if _num_places(value) > places or num_bytes(value) > size:
                    continue
                places -= _num_places(value)
                size -= num_bytes(value)
            elif not isinstance(value, _HELD):
                beside.append((name, value))
                continue
            for kept in self._kept_of(value, self._names.get(id(value), name)):
                # What is kept lives on, so that nothing else gets its identity.
                seen.add(id(value))
                self._kept.append(kept)
                nearest.extend(kept.parts())

    def _kept_of(self, value: Any, name: str) -> Iterator[Kept]:
        kind = type(value)
        if issubclass(kind, _LEFT):
            return
        if isinstance(value, type):
            if self._code.has(value.__module__):
                yield ClassAttributes(value, name)
            return
        if isinstance(value, FunctionType):
            yield from self._function(value, name)
        elif (plain := _plain(value, name)) is not None:
            yield plain
        is_ours = self._code.has(kind.__module__)
        is_open = is_ours or issubclass(kind, _OPEN)
        if is_open and isinstance(getattr(value, "__dict__", None), dict):
            yield Attributes(value, name)
        if is_ours:
            bases = [base for base in kind.__mro__ if self._code.has(base.__module__)]
            if slots := _slots(bases):
                yield Slots(value, name, slots)
            yield Fixed(value, name, ((name, base) for base in bases))

    def _function(self, function: FunctionType, name: str) -> Iterator[Kept]:
        around = function.__globals__
        is_ours = self._code.has(around.get("__name__"))
        # What a library's decorator makes has the name of what it decorates.
        if not is_ours and not self._code.has(function.__module__):
            return
        yield Attributes(function, name)
        yield Variables(function, name)
        yield Fixed(function, name, _defaults(function, name))
        if is_ours:
            names = names_in(function.__code__)
            for values in self._code.globals_of(function.__code__, around):
                yield Globals(values, names)


def _plain(value: Any, name: str) -> Kept | None:
    """Return what a value of a kind that everybody knows holds, beside attributes."""
    if isinstance(value, torch.Tensor):
        return keep_tensor(value, name)
    if isinstance(value, np.ndarray):
        return Array(value, name) if value.flags.writeable else None
    if isinstance(value, bytearray | array):
        return Buffer(value, name)
    if isinstance(value, dict):
        owner, _, last = name.rpartition(".")
        if last in _REGISTERS:
            return Items(value, owner, as_attributes=True)
        return Items(value, name)
    if isinstance(value, list | deque | set):
        return Collection(value, name)
    if isinstance(value, tuple | frozenset):
        parts = enumerate(built_in(value).__iter__(value))
        return Fixed(value, name, ((f"{name}[{i}]", part) for i, part in parts))
    inside = [(name, part) for part in _inside(value)]
    return Fixed(value, name, inside) if inside else None


def _inside(value: Any) -> tuple[Any, ...]:
    """Return what something that only refers to other things was made of."""
    if isinstance(value, functools.partial):
        return value.func, value.args, value.keywords
    if isinstance(value, MethodType):
        return value.__func__, value.__self__
    if isinstance(value, BuiltinMethodType):
        return (value.__self__,)
    if isinstance(value, memoryview):
        return (value.obj,)
    if isinstance(value, staticmethod | classmethod):
        return (value.__func__,)
    if isinstance(value, property):
        return value.fget, value.fset, value.fdel
    if isinstance(value, functools.cached_property):
        return (value.func,)
    return (value.__wrapped__,) if isinstance(value, functools._lru_cache_wrapper) else ()


def _defaults(function: FunctionType, name: str) -> Iterator[tuple[str, Any]]:
    code, given = function.__code__, function.__defaults__ or ()
    places = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
    defaults = dict(zip(places, given, strict=True)) | (function.__kwdefaults__ or {})
    for parameter, default in defaults.items():
        yield f"{name}({parameter})", default


def _slots(bases: Sequence[type]) -> dict[str, MemberDescriptorType]:
    found = [part for base in bases for part in vars(base).items()]
    return {key: slot for key, slot in found if isinstance(slot, MemberDescriptorType)}


def _num_places(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return 1 + (value.size if value.dtype == object else 0)
    is_collection = isinstance(value, dict | list | deque | set | frozenset | tuple)
    return 1 + (built_in(value).__len__(value) if is_collection else 0)
