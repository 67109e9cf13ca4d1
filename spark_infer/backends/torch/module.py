"""torch modules by import path: for models that torch.export cannot trace.

Their code is not in the bundle: it is imported where the bundle is loaded, so loading needs the
caller's word (``allow_modules``) for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from spark_infer.backends.torch.weights import assign_weights, save_weights
from spark_infer.errors import BundleError


def save(model: torch.nn.Module, root: Path) -> None:
    """Write the model's weights."""
    save_weights(root, model.state_dict())


def load(root: Path, model: Mapping[str, Any], allow_modules: Sequence[str]) -> torch.nn.Module:
    """Rebuild the module and map its weights.

    Args:
        root: The bundle's directory.
        model: ``module`` (``"package.module:Class"``) and ``arguments`` of the manifest.
        allow_modules: Import paths (and what lies below them) that may be imported.

    Raises:
        BundleError: The path is not allowed, or cannot be imported or called.
    """
    path = str(model["module"])
    check_allowed(path, allow_modules, where=f"bundle {root}")
    return assign_weights(build(path, model["arguments"], where=f"bundle {root}").eval(), root)


def build(path: str, arguments: Mapping[str, Any], *, where: str) -> torch.nn.Module:
    """Import ``package.module:Class`` and call it with keyword arguments."""
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise BundleError(f"{where}: module path {path!r} must look like 'package.module:Class'")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise BundleError(
            f"{where}: {path!r} cannot be imported here ({error}); install its package, or ship "
            "the file with spark-submit --py-files"
        ) from error
    try:
        module = factory(**arguments)
    except TypeError as error:
        raise BundleError(f"{where}: {path!r} does not take {dict(arguments)}: {error}") from error
    if not isinstance(module, torch.nn.Module):
        raise BundleError(f"{where}: {path!r} made a {type(module).__name__}, not a torch module")
    return module


def check_allowed(path: str, allow_modules: Sequence[str], *, where: str) -> None:
    """Raise BundleError unless an allowed import path covers ``path``."""
    module_name = path.partition(":")[0]
    for allowed in allow_modules:
        if module_name == allowed or path == allowed or module_name.startswith(f"{allowed}."):
            return
    raise BundleError(
        f"{where}: it runs code from {path!r}, which is not in allow_modules "
        f"{list(allow_modules)}; if you trust it, pass allow_modules=({module_name!r},)"
    )
