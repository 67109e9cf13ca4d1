"""A typed output of a signature: which tensor becomes which column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from spark_infer.bundle.columns import (
    DTYPES,
    FLOAT_DTYPES,
    INTEGER_DTYPES,
    check_name,
    check_shape,
    check_text,
)
from spark_infer.bundle.documents import ONLY_IF_SET, as_tuple, check_fields
from spark_infer.errors import SignatureError


@dataclass(frozen=True)
class Output:
    """One output tensor of the model and the prediction column it becomes.

    Attributes:
        name: Name of the prediction column.
        tensor: What the model calls the tensor, where it names its outputs and that is another one.
        dtype: NumPy name of the tensor's type. The model may return another width of the same
            kind (a float16 for a float32); it is converted, but scores of labels are compared as
            they are.
        shape: Shape of one row; ``()`` is a scalar column and accepts (rows,) and (rows, 1).
        lengths_of: Name of a ragged input: the tensor is (rows, longest, *shape) and each row is
            cut back to that input's true length.
        labels: Class names. An integer tensor of ids, or a float tensor of one score for each
            label (the highest wins), becomes a string column.
        finite: Whether a row with a NaN or infinite value is rejected instead.
    """

    name: str
    tensor: str | None = field(default=None, kw_only=True, metadata=ONLY_IF_SET)
    dtype: str = field(default="float32", kw_only=True)
    shape: Sequence[int] = field(default=(), kw_only=True)
    lengths_of: str | None = field(default=None, kw_only=True)
    labels: Sequence[str] | None = field(default=None, kw_only=True)
    finite: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, what="an output")
        where = f"output {self.name!r}"
        if self.tensor is not None:
            check_name(self.tensor, what=f"the tensor of {where}")
        object.__setattr__(self, "shape", check_shape(self.shape, where=where))
        if self.labels is not None:
            object.__setattr__(self, "labels", _labels(self.labels, where))
        check_fields(self, where=where)
        if self.dtype not in DTYPES:
            raise SignatureError(
                f"output {self.name!r}: dtype {self.dtype!r} is unknown; use one of {list(DTYPES)}"
            )
        if self.finite and self.dtype not in FLOAT_DTYPES:
            raise SignatureError(f"output {self.name!r}: finite needs floats, not {self.dtype}")
        if self.labels is not None:
            self._check_labels()

    def _check_labels(self) -> None:
        if self.shape:
            raise SignatureError(f"output {self.name!r}: labels need shape (), got {self.shape}")
        if self.dtype not in (*INTEGER_DTYPES, *FLOAT_DTYPES):
            raise SignatureError(
                f"output {self.name!r}: labels need integer ids or float scores, not {self.dtype}"
            )

    @property
    def tensor_name(self) -> str:
        """What the model calls the tensor."""
        return self.tensor or self.name

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one row (one position) as the model returns it."""
        if self.labels is not None and self.dtype in FLOAT_DTYPES:
            return (len(self.labels),)
        return tuple(self.shape)


def _labels(given: object, where: str) -> tuple[str, ...]:
    labels = () if isinstance(given, str) else as_tuple(given, where=f"{where}: labels")
    if not labels or not all(isinstance(label, str) for label in labels):
        raise SignatureError(f"{where}: labels must be a non-empty list of strings")
    check_text(labels, where=f"{where}: label")
    return labels
