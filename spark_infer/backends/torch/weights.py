"""Weights as safetensors: saved once, memory-mapped at load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from spark_infer.errors import BundleError

WEIGHTS_FILE = "weights.safetensors"


def save_weights(root: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write tensors by name. Tied weights are written once for each name."""
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    try:
        save_file(tensors, root / WEIGHTS_FILE)
        # safetensors makes a file for this user alone, and a bundle is for others too.
        (root / WEIGHTS_FILE).chmod(0o644)
    except KeyError as error:
        raise BundleError(
            f"weights of type {error.args[0]} cannot be stored; convert them, or keep real and "
            "imaginary parts apart"
        ) from None


def map_weights(root: Path) -> dict[str, torch.Tensor]:
    """Map the weights into memory; processes that map the same file share its pages.

    Raises:
        BundleError: A byte of a boolean is neither 0 nor 1, which torch's kernels count on; or
            torch does not compute with numbers of a type.
    """
    path = root / WEIGHTS_FILE
    tensors = load_file(path) if path.stat().st_size else {}
    for name, tensor in tensors.items():
        try:
            torch.zeros(1, dtype=tensor.dtype).to(torch.complex128)
        except NotImplementedError:
            raise BundleError(
                f"{WEIGHTS_FILE} holds {name!r} of {tensor.dtype}, with which torch "
                f"{torch.__version__} does not compute; save the model in another type"
            ) from None
        if tensor.dtype == torch.bool and (tensor.view(torch.uint8) > 1).any():
            raise BundleError(
                f"{WEIGHTS_FILE} holds {name!r}, whose bytes are no booleans; save the bundle again"
            )
    return tensors


def assign_weights(module: torch.nn.Module, root: Path) -> torch.nn.Module:
    """Put the mapped weights in the place of a module's own, without a copy.

    Raises:
        BundleError: Names or shapes differ.
    """
    try:
        module.load_state_dict(map_weights(root), strict=True, assign=True)
    except RuntimeError as error:
        raise BundleError(f"bundle {root}: the weights do not fit the model: {error}") from None
    return module
