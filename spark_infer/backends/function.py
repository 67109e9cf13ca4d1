"""A NumPy function as a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

NumpyFunction = Callable[..., npt.NDArray[Any] | Sequence[npt.NDArray[Any]]]


class FunctionBackend:
    """Runs a function of NumPy arrays, for models that need no framework and for tests.

    Args:
        function: Called with the tensors in order; returns one array, or one for each output.
    """

    def __init__(self, function: NumpyFunction) -> None:
        self._function = function

    def run(self, tensors: Mapping[str, npt.NDArray[Any]]) -> Sequence[npt.NDArray[Any]]:
        """Run one batch."""
        outputs = self._function(*tensors.values())
        several = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        return [np.asarray(output) for output in several]
