"""Values that may change, each with what it held."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

PLAIN = frozenset({NoneType, bool, int, float, complex, str, bytes})
"""Kinds that hold nothing that may change."""

_BUILT_IN = (OrderedDict, dict, list, deque, set, frozenset, tuple, bytearray, array)


def built_in(value: Any) -> Any:
    """Return the built-in class of a container.

    Its methods give and take what is there; those of a subclass may make something else of it, such
    as an object where a class is.
    """
    return next(kind for kind in _BUILT_IN if isinstance(value, kind))


class Kept(ABC):
    """Something that may change, and what it held."""

    def __init__(self, value: Any, name: str) -> None:
        # Kept alive, so that nothing else gets its identity.
        self.value = value
        self.name = name

    def changed(self) -> list[str]:
        """Return the names of what is not as it was."""
        return [self.name] if self._is_changed() else []

    def restore(self) -> None:
        """Put back what it held, where that changed."""
        if self._is_changed():
            self._restore()

    def parts(self) -> Iterator[tuple[str, Any]]:
        """Yield what it held and may change itself, with names."""
        for key, part in self._parts():
            if type(part) not in PLAIN:
                yield self._named(key), part

    @abstractmethod
    def _is_changed(self) -> bool:
        """Tell whether it is not as it was."""

    @abstractmethod
    def _restore(self) -> None:
        """Put back what it held."""

    def _parts(self) -> Iterable[tuple[Any, Any]]:
        """Return what it held, each with what it is found by."""
        return ()

    def _named(self, key: Any) -> str:
        """Return the name of a part."""
        return f"{self.name}[{key!r}]"


class Tensor(Kept):
    """The memory of a tensor, which may be written to behind the back of its version counter."""

    def __init__(self, value: torch.Tensor, name: str) -> None:
        super().__init__(value, name)
        # A view of the same memory, which keeps its place where the tensor is given another one.
        self._view = value.data
        self._memory = _once(self._view)
        self._copy = self._memory.clone()

    def _is_changed(self) -> bool:
        same = self._is_there() and torch.equal(_bytes(self._memory), _bytes(self._copy))
        return not same

    def _restore(self) -> None:
        self._memory.copy_(self._copy)
        if not self._is_there():
            self.value.data = self._view

    def _is_there(self) -> bool:
        """Tell whether the tensor is where it was."""
        return has_memory(self.value) and _layout(self.value) == _layout(self._view)


class Counted(Kept):
    """A tensor of another layout, such as a sparse one, whose writes are counted."""

    def __init__(self, value: torch.Tensor, name: str) -> None:
        super().__init__(value, name)
        self._version = None if value.is_inference() else value._version

    def _is_changed(self) -> bool:
        return self._version is not None and self.value._version != self._version

    def _restore(self) -> None:
        """Do nothing: who writes to one is refused."""


class Array(Kept):
    """The memory of a NumPy array, which may hold objects."""

    def __init__(self, value: npt.NDArray[Any], name: str) -> None:
        super().__init__(value, name)
        self._view = value.view(np.ndarray)
        self._copy = self._view.copy()

    def _is_changed(self) -> bool:
        return bool(self._view.tobytes() != self._copy.tobytes())

    def _restore(self) -> None:
        self._view[...] = self._copy

    def _parts(self) -> Iterable[tuple[Any, Any]]:
        return enumerate(self._copy.flat) if self._copy.dtype == object else ()


class Buffer(Kept):
    """The items of Python's own arrays, which may become more or fewer."""

    def __init__(self, value: array[Any] | bytearray, name: str) -> None:
        super().__init__(value, name)
        self._copy = built_in(value).__getitem__(value, slice(None))

    def _is_changed(self) -> bool:
        return bytes(memoryview(self.value)) != bytes(memoryview(self._copy))

    def _restore(self) -> None:
        built_in(self.value).__setitem__(self.value, slice(None), self._copy)


class Collection(Kept):
    """What a list, deque or set refers to."""

    def __init__(self, value: Any, name: str) -> None:
        super().__init__(value, name)
        self._copy = self._read()

    def _read(self) -> list[Any]:
        return list(built_in(self.value).__iter__(self.value))

    def _is_changed(self) -> bool:
        return list(map(id, self._read())) != list(map(id, self._copy))

    def _restore(self) -> None:
        kind = built_in(self.value)
        kind.clear(self.value)
        (kind.update if kind is set else kind.extend)(self.value, self._copy)

    def _parts(self) -> Iterable[tuple[Any, Any]]:
        return enumerate(self._copy)


class Fixed(Kept):
    """What cannot change itself, such as a tuple; its parts can.

    Args:
        value: The value.
        name: Its name.
        parts: Its parts, with names.
    """

    def __init__(self, value: Any, name: str, parts: Iterable[tuple[str, Any]]) -> None:
        super().__init__(value, name)
        self._given = [(place, part) for place, part in parts if type(part) not in PLAIN]

    def _is_changed(self) -> bool:
        return False

    def _restore(self) -> None:
        """Do nothing."""

    def _parts(self) -> Iterable[tuple[Any, Any]]:
        return self._given

    def _named(self, key: Any) -> str:
        return str(key)


def keep_tensor(value: torch.Tensor, name: str) -> Kept:
    """Return a tensor with its numbers, where they can be copied."""
    return Tensor(value, name) if has_memory(value) else Counted(value, name)


def has_memory(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor is numbers in memory, side by side or in strides."""
    is_usual = type(tensor).__torch_dispatch__ is torch.Tensor.__torch_dispatch__
    return (
        is_usual
        and tensor.layout is torch.strided
        and not (tensor.is_meta or tensor.is_quantized or tensor.is_nested)
        and not torch.nn.parameter.is_lazy(tensor)
    )


def num_bytes(value: Any) -> int:
    """Return the size of a tensor's, an array's or a buffer's memory, 0 of anything else."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.itemsize if has_memory(value) else 0
    if isinstance(value, np.ndarray):
        return value.nbytes
    return memoryview(value).nbytes if isinstance(value, bytearray | array) else 0


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
