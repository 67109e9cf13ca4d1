"""A model as its user gave it, to compare a stored one with."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from spark_infer.backends.backend import Array
from spark_infer.backends.torch.backend import TorchBackend
from spark_infer.backends.torch.state import State
from spark_infer.backends.torch.state.clock import ClockWatch
from spark_infer.backends.torch.state.code import UserCode
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError, SignatureError

_SEED = 20_180_808


class EagerBackend(TorchBackend):
    """Runs a model that goes on living elsewhere, and is to be left as it was.

    Attributes:
        resolution: Relative distance of neighboring numbers in the least precise type of its
            weights.
        num_weights: How many numbers its weights and buffers hold.
    """

    no_grad = torch.no_grad

    def __init__(self, model: torch.nn.Module, outputs: Sequence[str]) -> None:
        tensors = [*model.parameters(), *model.buffers()]
        elsewhere = {str(tensor.device) for tensor in tensors if tensor.device.type != "cpu"}
        if elsewhere:
            raise BundleError(
                f"the model is on {min(elsewhere)}; save it from the processor: model.cpu()"
            )
        # What is stored in a byte is computed with in another type.
        floats = (tensor for tensor in tensors if tensor.is_floating_point())
        kinds = {tensor.dtype for tensor in floats if tensor.itemsize > 1}
        self.resolution = max(torch.finfo(kind).eps for kind in {*kinds, torch.float32})
        self.num_weights = sum(tensor.numel() for tensor in tensors)
        self._state = State(model)
        self._generators = _generator_states()
        self._clock = ClockWatch(UserCode({type(part).__module__ for part in model.modules()}))
        super().__init__(model, outputs)

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        with self._clock.watching():
            return super().run(tensors)

    def check_unchanged(self) -> None:
        """Raise SignatureError where the model has changed its own weights or buffers."""
        for name in self._state.changed():
            if name in self._state.registered:
                raise SignatureError(
                    f"the bundle is not saved: the model changes its {name!r} while it predicts, "
                    "so later answers would depend on earlier rows; take that out of forward()"
                )

    def check_draws_nothing(self) -> None:
        """Raise SignatureError where the model has drawn random numbers."""
        for name, before in self._generators.items():
            if _generator_states()[name] != before:
                raise SignatureError(
                    f"the bundle is not saved: the model draws random numbers from {name} while it "
                    "predicts; take that out of forward(), or save it with stochastic=True"
                )

    def check_asks_no_time(self) -> None:
        """Raise SignatureError where the model's code has asked what time it is."""
        if self._clock.found is not None:
            raise SignatureError(
                f"the bundle is not saved: the model calls {self._clock.found}, and its answers "
                "would be those of the time at which it was saved, or of any other; give it the "
                "time as a column (to measure how long it takes, call time.perf_counter())"
            )

    def changed(self) -> list[str]:
        """Return the names of what is not as it was when this was made."""
        return self._state.changed()

    def restore(self) -> None:
        """Make the model, and what its code keeps beside it, what they were when this was made."""
        self._state.restore()

    def forget_weights(self) -> None:
        """Restore weights no more, for which they were copied."""
        self._state.forget_weights()

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Let whoever draws from the generators that everybody shares draw the same each time."""
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        random.seed(_SEED)
        np.random.seed(_SEED)
        torch.default_generator.manual_seed(_SEED)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


def _generator_states() -> dict[str, object]:
    """Return the states of the generators that everybody shares: who draws moves one."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy.random": repr(np.random.get_state(legacy=False)["state"]),
        "random": random.getstate(),
    }


def check_model(model: object) -> None:
    """Raise BundleError unless this is a torch module in Python that can be run here and now."""
    if isinstance(model, torch.jit.ScriptModule):
        raise BundleError(
            "the model is TorchScript, which torch.export does not read; save the module that it "
            "was made from"
        )
    if isinstance(model, torch.nn.Module):
        _check_surroundings()
        _check_state(model)
        return
    if isinstance(model, Mapping):
        raise BundleError(
            "the model is a dict of weights without the code that uses them; load them into the "
            "module (module.load_state_dict(...)) and save the module"
        )
    raise BundleError(
        f"the model must be a torch.nn.Module, got {type(model).__name__} {shown(model)}; "
        "other kinds of models, and models in files, cannot be saved"
    )


def check_arguments(model: torch.nn.Module, tensors: Sequence[str]) -> None:
    """Raise SignatureError unless the model's forward takes the signature's tensors in order."""
    if model._forward_pre_hooks:
        return
    try:
        # A function that wraps another one may give it other arguments.
        takes = inspect.signature(model.forward, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        takes.bind(*tensors)
    except TypeError as error:
        raise SignatureError(
            f"the bundle is not saved: {type(model).__name__} is called with the tensors "
            f"({', '.join(tensors)}) in this order, and its forward takes {_names(takes)} "
            f"({error}); change forward or the inputs (mask and presence say whether an input has "
            "a second and third tensor)"
        ) from None


def _names(takes: inspect.Signature) -> inspect.Signature:
    """Return a signature without the types."""
    given = takes.parameters.values()
    return inspect.Signature([one.replace(annotation=one.empty) for one in given])


def check_parameters(model: torch.nn.Module, tensors: Sequence[str]) -> None:
    """Raise BundleError where forward() would get a tensor in the place of something else."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    names = [parameter.name for parameter in parameters]
    for parameter, tensor in zip(parameters, tensors, strict=False):
        is_option = parameter.default is not parameter.empty and parameter.default is not None
        if is_option and parameter.name != tensor:
            raise BundleError(
                f"forward() has {parameter.name}={shown(parameter.default)}, and its place is that "
                f"of tensor {tensor!r}; leave the tensor out (mask=False, presence=False), name it "
                f"{parameter.name!r} in the signature, or set such an option in the constructor"
            )
    for place, name in enumerate(names):
        if name in tensors and [name] != list(tensors[place : place + 1]):
            raise BundleError(
                f"forward() takes {names}, and tensors come in the order of the signature, "
                f"{list(tensors)}, whatever they are called; order the inputs as forward() does, "
                "or rename its parameters"
            )


def _check_surroundings() -> None:
    """Raise BundleError where this process runs models otherwise than one that loads a bundle."""
    if torch.is_inference_mode_enabled():
        raise BundleError(
            "a model cannot be saved inside torch.inference_mode(), where torch does not see what "
            "is written to; save it outside"
        )
    if torch.is_autocast_enabled("cpu"):
        raise BundleError(
            "a model cannot be saved inside torch.autocast(), which is not stored; save it "
            "outside, and load it with precision='bfloat16'"
        )
    if torch.get_default_dtype() is not torch.float32:
        raise BundleError(
            f"torch makes new tensors of {torch.get_default_dtype()} here, and of torch.float32 "
            "where the bundle is loaded; call torch.set_default_dtype(torch.float32) before "
            "saving, and give the model's tensors their dtype"
        )


def _check_state(model: torch.nn.Module) -> None:
    """Raise BundleError where a weight or buffer has no values yet, or cannot be watched."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if torch.nn.parameter.is_lazy(tensor):
            raise BundleError(
                f"the model's {name!r} gets its shape when the model is first called; call it once "
                "with tensors of the signature, then save it"
            )
        if tensor.is_inference():
            raise BundleError(
                f"the model's {name!r} was made inside torch.inference_mode(); make or load the "
                "model outside of it"
            )


@contextmanager
def eager_backend(model: torch.nn.Module, outputs: Sequence[str]) -> Iterator[EagerBackend]:
    """Yield a backend of a model in evaluation mode; all that it holds is put back afterwards."""
    with in_eval_mode(model):
        backend = EagerBackend(model, outputs)
        try:
            yield backend
        finally:
            backend.restore()


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
