"""torch.export programs: the default model format. No user code runs at load.

The program and its weights are stored apart, because the program's own archive is read into
memory by every process while safetensors are mapped and shared.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch.export import Dim
from torch.export.passes import move_to_device_pass

from spark_infer.backends.torch.weights import assign_weights, save_weights
from spark_infer.bundle import Input, RaggedInput, Signature
from spark_infer.errors import BundleError

PROGRAM_FILE = "model.pt2"


def export(model: torch.nn.Module, signature: Signature) -> torch.export.ExportedProgram:
    """Trace a model with a dynamic number of rows, and a dynamic length of ragged inputs.

    Raises:
        BundleError: The model cannot be traced so.
    """
    arguments, shapes = [], []
    for item in signature.inputs:
        for name in item.tensor_names:
            arguments.append(_example(item, name))
            dynamic = (0, 1) if isinstance(item, RaggedInput) else (0,)
            shapes.append(dict.fromkeys(dynamic, Dim.DYNAMIC))
    modes = [(module, module.training) for module in model.modules()]
    try:
        return torch.export.export(model.eval(), tuple(arguments), dynamic_shapes=tuple(shapes))
    except Exception as error:
        # torch.export raises many private types, and user code anything at all.
        raise BundleError(
            f"{type(model).__name__} cannot be exported by torch.export with a dynamic number of "
            f"rows: {_first_line(error)}; save it with format='module' instead"
        ) from error
    finally:
        for module, training in modes:
            module.training = training


def save(program: torch.export.ExportedProgram, root: Path) -> None:
    """Write the program without weights, and the weights beside it."""
    save_weights(root, program.state_dict)
    for name, tensor in program.state_dict.items():
        empty = torch.empty_like(tensor, device="meta")
        is_parameter = isinstance(tensor, torch.nn.Parameter)
        program.state_dict[name] = (
            torch.nn.Parameter(empty, requires_grad=False) if is_parameter else empty
        )
    program.example_inputs = None
    torch.export.save(program, root / PROGRAM_FILE)


def load(root: Path, device: str = "cpu") -> torch.nn.Module:
    """Load the program and map its weights.

    Args:
        root: The bundle's directory.
        device: Where the program makes its own tensors, and where its constants are put. The
            weights are mapped on the host: the caller moves them.

    Raises:
        BundleError: The archive holds pickled data.
    """
    path = root / PROGRAM_FILE
    _refuse_pickles(path)
    program = torch.export.load(path)
    if torch.device(device).type != "cpu":
        # Tracing wrote the host's name into calls such as arange, and constants are not buffers.
        program = move_to_device_pass(program, {"cpu": device})
    module = program.module(check_guards=False)
    # The decoder has checked what these hooks would check again for every batch.
    module._forward_pre_hooks.clear()
    # Its class is its own. fx wraps the call to describe the program's source when it raises: slow
    # where rows at fault are searched for, and nothing that its user wrote.
    type(module).__call__ = torch.nn.Module.__call__  # type: ignore[method-assign]
    return assign_weights(module, root)


def _refuse_pickles(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith((".pt", ".pkl", ".pickle")) and entry.file_size:
                raise BundleError(f"{path}: {entry.filename} is a pickle and is not loaded")
            if entry.filename.endswith("_config.json"):
                entries = json.loads(archive.read(entry))["config"].values()
                if any(item.get("use_pickle") for item in entries):
                    raise BundleError(f"{path}: {entry.filename} names pickled tensors")


def _example(item: Input, tensor_name: str) -> torch.Tensor:
    """Make a tensor of the shape and type that the model gets; only its shape is traced."""
    rows, longest = 3, 5
    lead = (rows, longest) if isinstance(item, RaggedInput) else (rows,)
    if tensor_name == item.name:
        return torch.from_numpy(np.zeros((*lead, *item.item_shape), item.dtype))
    inner = () if tensor_name.endswith("_mask") else item.item_shape
    return torch.ones((*lead, *inner), dtype=torch.bool)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
