"""A model made ready to be written into a bundle."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_infer.backends.module_path import ModulePath
from spark_infer.bundle import ModelFormat, Signature
from spark_infer.bundle.manifest import MODEL_FORMATS
from spark_infer.errors import BundleError, nearest

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Artifact:
    """A model made ready to be written.

    Attributes:
        description: What the manifest says for the backend.
        write: Writes the model's files into a directory.
        built_with: Versions of the libraries used.
    """

    description: dict[str, Any]
    write: Callable[[Path], None]
    built_with: dict[str, str]


def prepare_artifact(
    model: torch.nn.Module,
    signature: Signature,
    *,
    format: ModelFormat,
    module: str | None,
    arguments: Mapping[str, Any],
    one_row: bool = False,
    shown: Collection[tuple[int, ...]] = (),
) -> Artifact:
    """Check that the model can be stored in the format, and trace it for ``"export"``.

    Args:
        model: The model.
        signature: Its inputs and outputs.
        format: How it is to be stored.
        module: Import path of its class, for ``"module"``.
        arguments: Keyword arguments of that class.
        one_row: Whether it is only ever run on one row at a time.
        shown: Number of rows, then padded length in each ragged input, of batches for which the
            stored model is compared with this one.

    Raises:
        BundleError: It cannot.
    """
    import torch

    from spark_infer.backends.torch.module import build
    from spark_infer.backends.torch.program.export import export
    from spark_infer.backends.torch.weights import save_weights

    if format not in MODEL_FORMATS:
        raise BundleError(
            f"model format {format!r} is unknown{nearest(format, MODEL_FORMATS)}; "
            f"use one of {list(MODEL_FORMATS)}"
        )
    if format == "export":
        if module is not None or arguments:
            raise BundleError("module and arguments belong to format='module'")
        program = export(model, signature, one_row=one_row, shown=shown)
        return Artifact({}, program.write, _versions())
    if module is None:
        raise BundleError("format='module' needs module='package.module:Class'")
    try:
        json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BundleError(f"arguments of {module!r} must be JSON data: {error}") from None
    path = ModulePath.parse(module, where="save_bundle")
    build(path, arguments, (path.module,), where="save_bundle")
    state = model.state_dict()
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise BundleError(
                f"the model's state holds {name!r}, a {type(value).__name__}, and a bundle stores "
                "tensors only; return a tensor from get_extra_state(), or pass it as an argument"
            )
    description = {"module": module, "arguments": dict(arguments)}
    return Artifact(description, lambda root: save_weights(root, state), _versions())


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in ("spark-infer", "torch"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
