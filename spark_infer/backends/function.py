"""A NumPy function as a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.host import HostBackend

NumpyFunction = Callable[..., Array | Sequence[Array]]


class FunctionBackend(HostBackend):
    """Runs a function of NumPy arrays, for models that need no framework and for tests.

    Args:
        function: Called with the tensors in order, copies that it may write to; returns one array,
            or one for each output, which it may use again for the next batch.
    """

    def __init__(self, function: NumpyFunction) -> None:
        self._function = function

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        outputs = self._function(*(array.copy() for array in tensors.values()))
        several = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        return [np.array(output) for output in several]
