"""Host buffers that batches borrow for their way to a device and back."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

MakeBuffer = Callable[[torch.dtype, int], torch.Tensor]

_LEAST_ELEMENTS = 1024


@dataclass(frozen=True)
class Loan:
    """A buffer that is out.

    Attributes:
        buffer: The whole buffer, flat.
        tensor: Its start, in the shape that was asked for.
    """

    buffer: torch.Tensor
    tensor: torch.Tensor


class Staging:
    """Lends buffers and keeps those that come back.

    A buffer that is out is never lent again, so whoever borrowed it gives it back only when no
    copy from or into it is under way. One that never comes back is freed with its last owner.
    Sizes are powers of two, so that batches of like sizes share buffers. Threads may borrow and
    give back at the same time.

    Args:
        make: Makes a flat buffer of a type and a number of elements.
    """

    def __init__(self, make: MakeBuffer) -> None:
        self._make = make
        self._idle: dict[tuple[torch.dtype, int], list[torch.Tensor]] = defaultdict(list)

    def borrow(self, shape: Sequence[int], dtype: torch.dtype) -> Loan:
        """Lend a contiguous tensor; what it holds is anything."""
        num_elements = math.prod(shape)
        size = max(_LEAST_ELEMENTS, 1 << (num_elements - 1).bit_length())
        try:
            buffer = self._idle[dtype, size].pop()
        except IndexError:
            buffer = self._make(dtype, size)
        return Loan(buffer, buffer[:num_elements].view(tuple(shape)))

    def give_back(self, loans: Iterable[Loan]) -> None:
        """Take buffers back; their tensors are used no more."""
        for loan in loans:
            self._idle[loan.buffer.dtype, len(loan.buffer)].append(loan.buffer)

    def clear(self) -> None:
        """Free the buffers that are idle."""
        self._idle.clear()
