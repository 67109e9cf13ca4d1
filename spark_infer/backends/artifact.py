"""A model made ready to be written into a bundle."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
) -> Artifact:
    """Check that the model can be stored in the format, and trace it for ``"export"``.

    Raises:
        BundleError: It cannot.
    """
    from spark_infer.backends.torch import export as torch_export
    from spark_infer.backends.torch import module as torch_module

    if format == "export":
        if module is not None or arguments:
            raise BundleError("module and arguments belong to format='module'")
        program = torch_export.export(model, signature)
        return Artifact({}, lambda root: torch_export.save(program, root), _versions())
    if format != "module":
        raise BundleError(
            f"model format {format!r} is unknown{nearest(format, MODEL_FORMATS)}; "
            f"use one of {list(MODEL_FORMATS)}"
        )
    if module is None:
        raise BundleError("format='module' needs module='package.module:Class'")
    try:
        json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BundleError(f"arguments of {module!r} must be JSON data: {error}") from None
    torch_module.build(module, arguments, where="save_bundle")
    description = {"module": module, "arguments": dict(arguments)}
    return Artifact(description, lambda root: torch_module.save(model, root), _versions())


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in ("spark-infer", "torch"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
