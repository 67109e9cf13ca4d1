"""The tensors that a model receives for an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spark_infer.bundle.columns import DTYPES, check_name
from spark_infer.bundle.documents import check_fields
from spark_infer.errors import SignatureError

Role = Literal["values", "mask", "zeros", "present"]


@dataclass(frozen=True)
class InputTensor:
    """One of the tensors of an input.

    Attributes:
        name: What the model calls it.
        dtype: NumPy name of its type.
        role: The input's ``values``; a ``mask`` that is true where a position is real; ``zeros`` of
            the values' shape; or ``present``, true where a value was not null.
    """

    name: str
    dtype: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class Mask:
    """How a model takes the mask of a ragged input.

    Attributes:
        tensor: What the model calls it; default ``<name>_mask``.
        dtype: NumPy name of its type: 1 where a position is real, else 0.
    """

    tensor: str | None = None
    dtype: str = "bool"

    def __post_init__(self) -> None:
        check_fields(self, where="the mask")
        if self.tensor is not None:
            check_name(self.tensor, what="the mask's tensor")
        if self.dtype not in DTYPES:
            raise SignatureError(
                f"the mask's dtype {self.dtype!r} is unknown; use one of {list(DTYPES)}"
            )
