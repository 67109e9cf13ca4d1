"""What a model holds, to see what running it changes and to put that back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_REGISTERS = ("_parameters", "_buffers", "_modules")
"""Attributes of a module whose items are attributes of it to everyone else."""


class State:
    """A model as it is when this is made.

    It is followed through its modules, the classes and objects of the code that defines them, plain
    containers, tensors and arrays, whose memory is copied. What else a model refers to, such as a
    tokenizer or a file, is not looked into.

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
        kinds = {type(part).__module__ for part in model.modules()}
        self._code = {kind for kind in kinds if kind.partition(".")[0] != "torch"}
        self._kept: dict[int, _Kept] = {}
        self._keep(model, "")

    def changed(self) -> list[str]:
        """Return the names of what is not as it was, such as ``"encoder.mean"``."""
        return list(dict.fromkeys(name for kept in self._kept.values() for name in kept.changed()))

    def restore(self) -> None:
        """Put everything back as it was."""
        for kept in self._kept.values():
            if any(True for _ in kept.changed()):
                kept.restore()

    def _keep(self, value: Any, name: str) -> None:
        if id(value) in self._kept:
            return
        kept = self._kept_of(value, self._names.get(id(value), name))
        if kept is not None:
            self._kept[id(value)] = kept
            for place, part in kept.parts():
                self._keep(part, place)

    def _kept_of(self, value: Any, name: str) -> _Kept | None:
        if isinstance(value, torch.Tensor):
            return _Tensor(value, name) if _has_memory(value) else _Counted(value, name)
        if isinstance(value, np.ndarray):
            return _Array(value, name) if value.flags.writeable else None
        if isinstance(value, dict):
            owner, _, last = name.rpartition(".")
            if last in _REGISTERS:
                return _Mapping(value, owner, value, place=".{}")
            return _Mapping(value, name, value, place="[{!r}]")
        if isinstance(value, list | deque | set):
            return _Collection(value, name)
        if isinstance(value, tuple):
            return _Tuple(value, name)
        if isinstance(value, type):
            return _Class(value, name) if value.__module__ in self._code else None
        is_ours = isinstance(value, torch.nn.Module) or type(value).__module__ in self._code
        return _Object(value, name) if is_ours and hasattr(value, "__dict__") else None


class _Kept(ABC):
    """Something that may change, and what it held."""

    def __init__(self, value: Any, name: str) -> None:
        # Kept alive, so that nothing else gets its identity.
        self.value = value
        self.name = name

    @abstractmethod
    def changed(self) -> Iterator[str]:
        """Yield names of what is not as it was."""

    @abstractmethod
    def restore(self) -> None:
        """Put back what it held."""

    def parts(self) -> Iterator[tuple[str, Any]]:
        """Yield what it held, with names."""
        yield from ()


class _Tensor(_Kept):
    """The memory of a tensor, which may be written to behind the back of its version counter."""

    def __init__(self, value: torch.Tensor, name: str) -> None:
        super().__init__(value, name)
        # A view of the same memory, which keeps its place where the tensor is given another one.
        self._view = value.data
        self._memory = _once(self._view)
        self._copy = self._memory.clone()

    def changed(self) -> Iterator[str]:
        if not self._is_there() or not torch.equal(_bytes(self._memory), _bytes(self._copy)):
            yield self.name

    def restore(self) -> None:
        self._memory.copy_(self._copy)
        if not self._is_there():
            self.value.data = self._view

    def _is_there(self) -> bool:
        """Tell whether the tensor is where it was."""
        return _has_memory(self.value) and _layout(self.value) == _layout(self._view)


class _Counted(_Kept):
    """A tensor of another layout, such as a sparse one, whose writes are counted."""

    def __init__(self, value: torch.Tensor, name: str) -> None:
        super().__init__(value, name)
        self._version = None if value.is_inference() else value._version

    def changed(self) -> Iterator[str]:
        if self._version is not None and self.value._version != self._version:
            yield self.name

    def restore(self) -> None:
        """Do nothing: who writes to one is refused."""


class _Array(_Kept):
    def __init__(self, value: npt.NDArray[Any], name: str) -> None:
        super().__init__(value, name)
        self._copy = value.copy()

    def changed(self) -> Iterator[str]:
        if self.value.tobytes() != self._copy.tobytes():
            yield self.name

    def restore(self) -> None:
        self.value[...] = self._copy


class _Mapping(_Kept):
    """A dict, or the attributes of something.

    Args:
        value: The dict, or what has the attributes.
        name: Its name.
        mapping: The dict, or the attributes.
        place: How an item's key is written behind that.
    """

    def __init__(self, value: Any, name: str, mapping: dict[Any, Any], *, place: str) -> None:
        super().__init__(value, name)
        self._mapping = mapping
        self._place = place
        self._copy = dict(mapping)

    def changed(self) -> Iterator[str]:
        now = self._mapping
        for key in self._copy:
            if now.get(key, self) is not self._copy[key]:
                yield self._named(key)
        for key in now.keys() - self._copy.keys():
            yield self._named(key)

    def restore(self) -> None:
        self._mapping.clear()
        self._mapping.update(self._copy)

    def parts(self) -> Iterator[tuple[str, Any]]:
        for key, part in self._copy.items():
            yield self._named(key), part

    def _named(self, key: object) -> str:
        return (self.name + self._place.format(key)).removeprefix(".")


class _Object(_Mapping):
    """The attributes of a module or of an object beside it."""

    def __init__(self, value: Any, name: str) -> None:
        super().__init__(value, name, vars(value), place=".{}")

    def parts(self) -> Iterator[tuple[str, Any]]:
        yield from super().parts()
        for kind in type(self.value).__mro__:
            yield self.name, kind


class _Class(_Mapping):
    """The attributes of a class, which its objects share."""

    def __init__(self, value: type, name: str) -> None:
        super().__init__(value, name, _own(value), place=".{}")

    def changed(self) -> Iterator[str]:
        self._mapping = _own(self.value)
        yield from super().changed()

    def restore(self) -> None:
        for key in _own(self.value).keys() - self._copy.keys():
            delattr(self.value, key)
        for key, part in self._copy.items():
            if _own(self.value).get(key, self) is not part:
                setattr(self.value, key, part)


class _Collection(_Kept):
    def __init__(self, value: Any, name: str) -> None:
        super().__init__(value, name)
        self._copy = list(value)

    def changed(self) -> Iterator[str]:
        now = list(self.value)
        if list(map(id, now)) != list(map(id, self._copy)):
            yield self.name

    def restore(self) -> None:
        self.value.clear()
        (self.value.update if isinstance(self.value, set) else self.value.extend)(self._copy)

    def parts(self) -> Iterator[tuple[str, Any]]:
        for index, part in enumerate(self._copy):
            yield f"{self.name}[{index}]", part


class _Tuple(_Kept):
    """What cannot change itself; its parts can."""

    def changed(self) -> Iterator[str]:
        yield from ()

    def restore(self) -> None:
        """Do nothing."""

    def parts(self) -> Iterator[tuple[str, Any]]:
        for index, part in enumerate(self.value):
            yield f"{self.name}[{index}]", part


def _own(kind: type) -> dict[str, Any]:
    """Return a class's attributes without those that Python makes."""
    return {key: value for key, value in vars(kind).items() if not key.startswith("__")}


def _has_memory(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor is numbers in memory, side by side or in strides."""
    is_usual = type(tensor).__torch_dispatch__ is torch.Tensor.__torch_dispatch__
    return (
        is_usual
        and tensor.layout is torch.strided
        and not (tensor.is_meta or tensor.is_quantized or tensor.is_nested)
        and not torch.nn.parameter.is_lazy(tensor)
    )


def _layout(tensor: torch.Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _once(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor without the repeats of one that is expanded, which has no place for them."""
    for dimension, stride in enumerate(tensor.stride()):
        if stride == 0:
            tensor = tensor.narrow(dimension, 0, min(1, tensor.shape[dimension]))
    return tensor


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor's numbers as bytes, for NaN is not even equal to itself."""
    whole = tensor.resolve_conj().resolve_neg().contiguous()
    # A single number may have any stride, and no view as bytes then.
    return whole.as_strided((whole.numel(),), (1,)).view(torch.uint8)
