"""A model as its user gave it, to compare a stored one with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def check_model(model: object) -> None:
    """Raise BundleError unless this is a torch module in Python."""
    if isinstance(model, torch.jit.ScriptModule):
        raise BundleError(
            "the model is TorchScript, which torch.export does not read; save the module that it "
            "was made from"
        )
    if isinstance(model, torch.nn.Module):
        return
    if isinstance(model, Mapping):
        raise BundleError(
            "the model is a dict of weights without the code that uses them; load them into the "
            "module (module.load_state_dict(...)) and save the module"
        )
    raise BundleError(
        f"the model must be a torch.nn.Module, got {type(model).__name__} {str(model)[:60]!r}; "
        "other kinds of models, and models in files, cannot be saved"
    )


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
