"""What every backend does: run a batch of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

import numpy.typing as npt

from spark_infer.errors import ConfigError

Precision = Literal["float32", "bfloat16", "float16"]


class Backend(Protocol):
    """Runs a loaded model on batches of tensors."""

    def run(self, tensors: Mapping[str, npt.NDArray[Any]]) -> Sequence[npt.NDArray[Any]]:
        """Run one batch.

        Args:
            tensors: Each of shape (rows, ...), in the order in which the model takes them.

        Returns:
            The model's outputs in the order of the signature, each of shape (rows, ...).
        """
        ...


def check_precision(precision: str) -> None:
    """Raise ConfigError unless ``precision`` is known."""
    if precision not in get_args(Precision):
        raise ConfigError(
            f"precision {precision!r} is unknown; use one of {list(get_args(Precision))}"
        )
