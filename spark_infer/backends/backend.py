"""What every backend does: run a batch of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy.typing as npt

from spark_infer.backends.failures.memory import Memory

Array = npt.NDArray[Any]

Pending = Callable[[], Sequence[Array]]
"""Waits for the outputs of a batch that was submitted, and returns them. To be called once."""


class Backend(Protocol):
    """Runs a loaded model on batches of tensors.

    Batches are submitted by one thread at a time.

    Attributes:
        runs_at_once: Whether ``submit`` returns when the batch has run, so that its time is known
            without waiting for it.
        row_independent: Whether a row's outputs do not depend on the rows beside it or on padding.
        stochastic: Whether equal rows may get different outputs.
    """

    runs_at_once: bool
    row_independent: bool
    stochastic: bool

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch.

        Args:
            tensors: Each of shape (rows, ...), in the order in which the model takes them.

        Returns:
            The model's outputs in the order of the signature, each of shape (rows, ...).
        """
        ...

    def submit(self, tensors: Mapping[str, Array]) -> Pending:
        """Start one batch.

        A device runs batches in the order in which they were submitted, while the host goes on;
        the host itself has run the batch when this returns. What goes wrong is raised here, or
        when the outputs are waited for. A batch whose outputs nobody waits for needs no cleaning
        up.

        Args:
            tensors: As for ``run``. Outputs may share memory with them.
        """
        ...

    def memory(self) -> Memory:
        """Return the memory of the device on which the model runs."""
        ...

    def release(self) -> None:
        """Give back the memory that is kept for later batches, after running out of it.

        The caller drops the error first: its traceback holds the tensors of the batch.
        """
        ...
