"""A torch module on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import cuda

from spark_infer.backends.backend import Array, Pending
from spark_infer.backends.failures.memory import Memory
from spark_infer.backends.options import Precision
from spark_infer.backends.torch.backend import TorchBackend, numpy_type, view
from spark_infer.backends.torch.staging import Loan, Staging


class CudaBackend(TorchBackend):
    """Runs a torch module on a GPU, while the host prepares the next batches.

    Inputs are copied on a stream of their own, so the inputs of one batch travel while the model
    still runs on the batch before. Nothing waits for the device but the caller who wants outputs,
    and that caller waits for its own batch only.

    Args:
        module: Called with the tensors in order.
        outputs: Names of the outputs, for a module that returns a dict.
        device: ``"cuda"`` (the current device) or ``"cuda:N"``.
        precision: Type of the weights and of the matrix products.
        threads: CPU threads of this whole process; None leaves torch's setting.
        row_independent: As for ``TorchBackend``.
        stochastic: As for ``TorchBackend``.
        is_program: Of no effect, for batches are copied to the device and back.
    """

    runs_at_once = False

    def __init__(
        self,
        module: torch.nn.Module,
        outputs: Sequence[str],
        *,
        device: str = "cuda",
        precision: Precision = "float32",
        threads: int | None = None,
        row_independent: bool = True,
        stochastic: bool = False,
        is_program: bool = False,
    ) -> None:
        # The current device belongs to a thread, and batches may come from another one.
        index = torch.device(device).index
        device = f"cuda:{cuda.current_device() if index is None else index}"
        super().__init__(
            module,
            outputs,
            device=device,
            precision=precision,
            threads=threads,
            row_independent=row_independent,
            stochastic=stochastic,
            is_program=is_program,
        )
        # torch gives its streams and events no types.
        self._uploads = cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._staging = Staging(_pinned)

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch and wait for it."""
        return self.submit(tensors)()

    def submit(self, tensors: Mapping[str, Array]) -> Pending:
        """Start one batch.

        Running out of memory is raised here; errors of the device itself, such as an index out
        of range, only when the outputs are waited for, and CUDA then refuses all further work.
        """
        # A batch that fails on the way, or whose outputs nobody wants, does not give its buffers
        # back: copies may be under way. torch itself waits for these before it reuses the memory.
        with cuda.device(self._device), torch.inference_mode():
            sent = [self._stage(view(array)) for array in tensors.values()]
            outputs = self._call(self._upload(sent))
            received = [self._download(output) for output in outputs]
            # Without types, as above.
            finished = cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            finished.record()

        def wait() -> list[Array]:
            finished.synchronize()
            arrays = [loan.tensor.numpy().copy() for loan in received]
            self._staging.give_back(sent + received)
            return arrays

        return wait

    def memory(self) -> Memory:
        """Return the memory that torch has taken of the device, and the most it can take.

        This asks the driver and costs some 100 microseconds.
        """
        reserved = cuda.memory_stats_as_nested_dict(self._device)["reserved_bytes"]["all"]
        free, total = cuda.mem_get_info(self._device)
        allowed = int(total * cuda.get_per_process_memory_fraction(self._device))
        return Memory(reserved["peak"], min(allowed, free + reserved["current"]))

    def release(self) -> None:
        """Free tensors in reference cycles, then what torch keeps of the device's memory."""
        super().release()
        self._staging.clear()
        cuda.empty_cache()

    def _stage(self, tensor: torch.Tensor) -> Loan:
        loan = self._staging.borrow(tensor.shape, tensor.dtype)
        loan.tensor.copy_(tensor)
        return loan

    def _upload(self, loans: Sequence[Loan]) -> list[torch.Tensor]:
        """Start the copies to the device, and make the model's stream wait for them."""
        with cuda.stream(self._uploads):
            tensors = [loan.tensor.to(self._device, non_blocking=True) for loan in loans]
            copied = self._uploads.record_event()
        main = cuda.current_stream(self._device)
        main.wait_event(copied)
        for tensor in tensors:
            # Their memory belongs to the upload stream, which must not reuse it before the model
            # has read it.
            tensor.record_stream(main)
        return tensors

    def _download(self, output: torch.Tensor) -> Loan:
        """Start the copy of an output to the host, behind the model on its stream."""
        output = output.to(numpy_type(output))
        loan = self._staging.borrow(output.shape, output.dtype)
        loan.tensor.copy_(output, non_blocking=True)
        return loan


def _pinned(dtype: torch.dtype, num_elements: int) -> torch.Tensor:
    return torch.empty(num_elements, dtype=dtype, pin_memory=True)
