"""A model as its user gave it, to compare a stored one with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from spark_infer.backends.torch.backend import TorchBackend
from spark_infer.errors import BundleError


class EagerBackend(TorchBackend):
    """Runs a model that goes on living elsewhere, and is to be left as it was.

    Attributes:
        resolution: Relative distance of neighboring numbers in the least precise type of its
            weights.
    """

    no_grad = torch.no_grad

    def __init__(self, model: torch.nn.Module, outputs: Sequence[str]) -> None:
        tensors = [*model.parameters(), *model.buffers()]
        elsewhere = {str(tensor.device) for tensor in tensors if tensor.device.type != "cpu"}
        if elsewhere:
            raise BundleError(
                f"the model is on {min(elsewhere)}; save it from the processor: model.cpu()"
            )
        kinds = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
        self.resolution = max(torch.finfo(kind).eps for kind in {*kinds, torch.float32})
        super().__init__(model, outputs)


@contextmanager
def eager_backend(model: torch.nn.Module, outputs: Sequence[str]) -> Iterator[EagerBackend]:
    """Yield a backend of a model in evaluation mode; its modes are restored afterwards."""
    with in_eval_mode(model):
        yield EagerBackend(model, outputs)


@contextmanager
def in_eval_mode(model: torch.nn.Module) -> Iterator[None]:
    """Set a model to evaluation, and each of its parts back to what it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
