"""A torch module as a backend."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from spark_infer.backends.backend import Array
from spark_infer.backends.host import HostBackend
from spark_infer.backends.options import Precision
from spark_infer.bundle.files.mapped import MappedFile
from spark_infer.errors import ConfigError, PredictionError, RuntimeUnavailable

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TorchBackend(HostBackend):
    """Runs a torch module (or the module of an exported program).

    In half precision the weight matrices are stored and multiplied in it and everything else
    runs under ``torch.autocast``: inputs, buffers, such as the constants of a normalization, and
    vectors, such as biases, keep their precision.

    Args:
        module: Called with the tensors in order.
        outputs: Names of the outputs, for a module that returns a dict.
        device: Where the module is put, and where tensors must be.
        precision: Type of the weights and of the matrix products.
        threads: CPU threads of one batch, for this whole process; None leaves torch's setting.
        row_independent: Whether a row's outputs do not depend on the rows beside it or on padding.
        stochastic: Whether equal rows may get different outputs.
        is_program: Whether the module is that of a program, which writes to no input and keeps no
            output: it gets the memory of its inputs, which may be Arrow's, and gives that of its
            outputs. Code may do either, so it gets copies, and copies are taken of what it returns.
        weights: The file that the weights are mapped from, where they are.
    """

    no_grad: ClassVar[type[contextlib.AbstractContextManager[object]]] = torch.inference_mode

    def __init__(
        self,
        module: torch.nn.Module,
        outputs: Sequence[str],
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        threads: int | None = None,
        row_independent: bool = True,
        stochastic: bool = False,
        is_program: bool = False,
        weights: MappedFile | None = None,
    ) -> None:
        self.row_independent = row_independent
        self.stochastic = stochastic
        self._is_program = is_program
        self._weights = weights
        if threads is not None:
            torch.set_num_threads(threads)
        self._outputs = list(outputs)
        self._device = torch.device(device)
        self._dtype = _DTYPES[precision]
        self._module = module.to(self._device)
        if self._dtype is not torch.float32:
            for part in self._module.modules():
                _store_in(part, self._dtype)

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        # Before, for to read beyond the end of a file that became shorter ends the process.
        self._check_weights()
        take = view if self._is_program else copied
        inputs = [take(array) for array in tensors.values()]
        with self.no_grad():
            outputs = [self._given(output).numpy() for output in self._call(inputs)]
        self._check_weights()
        return outputs

    def _check_weights(self) -> None:
        if self._weights is not None:
            self._weights.check_unwritten()

    def _call(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Call the module with tensors on its device; return its outputs in order."""
        if torch.get_default_dtype() is not torch.float32:
            raise ConfigError(
                f"torch makes new tensors of {torch.get_default_dtype()} in this process, and the "
                "model was proven with torch.float32; call torch.set_default_dtype(torch.float32)"
            )
        with self._autocast():
            found = in_order(self._module(*tensors), self._outputs)
        for value in found:
            if not isinstance(value, torch.Tensor):
                raise PredictionError(
                    f"the model returned {type(value).__name__}; return a tensor, a tuple of "
                    "tensors, or a dict of them by output name"
                )
        return found

    def _given(self, output: torch.Tensor) -> torch.Tensor:
        """Return an output on the host that nobody writes to, and that keeps its memory alone."""
        is_part = output.untyped_storage().nbytes() > output.numel() * output.itemsize
        return output.to("cpu", numpy_type(output), copy=is_part or not self._is_program)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        # Also to end one of the caller's, which the model was not proven with.
        enabled = self._dtype is not torch.float32
        if not enabled and not torch.is_autocast_enabled(self._device.type):
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype, enabled=enabled)


def in_order(result: object, outputs: Sequence[str]) -> list[Any]:
    """Return the outputs of a model in the order of the signature.

    Args:
        result: What the model returned: one output, a sequence, or a mapping by output name.
        outputs: Names of the outputs.

    Raises:
        PredictionError: An output is not there, or they have names of their own in another order.
    """
    if isinstance(result, Mapping):
        missing = [name for name in outputs if name not in result]
        if missing:
            raise PredictionError(
                f"the model returned a dict with {sorted(result)}, without {missing[0]!r}"
            )
        return [result[name] for name in outputs]
    # The first is a named tuple's, the second that of what torch.max and others return.
    named: Sequence[str] = getattr(result, "_fields", getattr(result, "__match_args__", ()))
    places = {name: place for place, name in enumerate(named)}
    if isinstance(result, tuple) and any(
        places.get(name, place) != place for place, name in enumerate(outputs)
    ):
        raise PredictionError(
            f"the model returns {list(named)}, and the signature's outputs are {list(outputs)}; "
            "name them in the model's order, or return a dict"
        )
    return list(result) if isinstance(result, (tuple, list)) else [result]


def check_device(device: str) -> None:
    """Raise unless ``device`` names a device that torch can use here."""
    try:
        parsed = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device {device!r} is unknown; use 'cpu', 'cuda' or 'cuda:0'") from None
    if parsed.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {device!r} is not supported; use 'cpu', 'cuda' or 'cuda:0'")
    if parsed.type == "cuda" and (parsed.index or 0) >= torch.cuda.device_count():
        raise RuntimeUnavailable(
            f"device {device!r} is not there: torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} CUDA device(s); use device 'cpu' or give the executor "
            "a GPU"
        )


def _store_in(part: torch.nn.Module, dtype: torch.dtype) -> None:
    # Vectors are biases and scales: next to no memory, and a normalization wants its scale in the
    # type of its input or its statistics. A recurrent layer wants all of its weights in one type.
    recurrent = hasattr(part, "weight_hh_l0")
    for parameter in part.parameters(recurse=False):
        if parameter.is_floating_point() and (parameter.ndim > 1 or recurrent):
            parameter.data = parameter.data.to(dtype)


class _Shared:
    """Offers an array's memory as writable and keeps the array alive.

    Arrow's memory is read-only, and torch has no read-only tensors: it warns about such an array.
    What only reads its inputs may share it, where a copy of every batch would be waste.
    """

    def __init__(self, array: Array) -> None:
        self._array = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def view(array: Array) -> torch.Tensor:
    """Return a tensor that shares the array's memory, or that of a contiguous copy."""
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Shared(array)))


def copied(array: Array) -> torch.Tensor:
    """Return a contiguous tensor of its own memory."""
    return torch.from_numpy(np.array(array, order="C"))


def numpy_type(tensor: torch.Tensor) -> torch.dtype:
    """Return the type that NumPy users expect of a tensor: float32 for half precision."""
    return torch.float32 if tensor.dtype in (torch.bfloat16, torch.float16) else tensor.dtype


def seed_anew() -> None:
    """Seed the random numbers of the CPU from the system's; torch seeds a GPU's so by itself."""
    torch.default_generator.seed()
