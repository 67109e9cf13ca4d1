"""The base of backends that run on the processor."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from spark_infer.backends.backend import Array, Pending
from spark_infer.backends.failures.memory import Memory, process_memory


class HostBackend(ABC):
    """Runs each batch when it is submitted; its memory is this process's."""

    runs_at_once = True
    row_independent = True
    stochastic = False

    @abstractmethod
    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""

    def submit(self, tensors: Mapping[str, Array]) -> Pending:
        """Run one batch and return a function that returns its outputs."""
        outputs = self.run(tensors)
        return lambda: outputs

    def memory(self) -> Memory:
        """Return the memory of this process."""
        return process_memory()

    def release(self) -> None:
        """Collect garbage: arrays in reference cycles are freed."""
        gc.collect()
