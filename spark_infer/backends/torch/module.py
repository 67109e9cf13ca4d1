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

from spark_infer.backends.torch.weights import assign_weights
from spark_infer.errors import BundleError


def load_module(
    root: Path, model: Mapping[str, Any], allow_modules: Sequence[str]
) -> torch.nn.Module:
    """Rebuild the module and map its weights.

    Args:
        root: The bundle's directory.
        model: ``module`` (``"package.module:Class"``) and ``arguments`` of the manifest.
        allow_modules: Import paths (and what lies below them) that may be imported.

    Raises:
        BundleError: The path is not allowed, names no torch module class that is defined there, or
            cannot be imported or called.
    """
    where = f"bundle {root}"
    path = str(model["module"])
    check_allowed(path, allow_modules, where=where)
    module = build(path, model["arguments"], allow_modules, where=where)
    return assign_weights(module.eval(), root)


def build(
    path: str, arguments: Mapping[str, Any], allow_modules: Sequence[str], *, where: str
) -> torch.nn.Module:
    """Import the class ``package.module:Class`` and make one of it with keyword arguments."""
    module_name, name = split_path(path, where=where)
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise BundleError(
            f"{where}: {path!r} cannot be imported here ({error}); install its package, or ship "
            "the file with spark-submit --py-files"
        ) from error
    if not isinstance(found, type) or not issubclass(found, torch.nn.Module):
        raise BundleError(
            f"{where}: {path!r} is no subclass of torch.nn.Module; nothing else is called"
        )
    # What a module merely imported is somebody else's, and nobody allowed it.
    if not is_allowed(f"{found.__module__}:{found.__qualname__}", allow_modules):
        raise BundleError(
            f"{where}: {path!r} is defined in {found.__module__!r}, which is not in allow_modules "
            f"{list(allow_modules)}; name the class where it is defined"
        )
    try:
        return found(**arguments)
    except TypeError as error:
        raise BundleError(f"{where}: {path!r} does not take {dict(arguments)}: {error}") from error


def split_path(path: str, *, where: str) -> tuple[str, str]:
    """Return module and class of a path.

    Raises:
        BundleError: It does not look like ``package.module:Class``, or names ``__main__``.
    """
    module_name, _, name = path.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module_name.split(".")):
        raise BundleError(f"{where}: module path {path!r} must look like 'package.module:Class'")
    if module_name == "__main__":
        raise BundleError(
            f"{where}: {path!r} is the script that runs now, which no executor can import; move "
            "the class to a module of its own"
        )
    return module_name, name


def check_allowed(path: str, allow_modules: Sequence[str], *, where: str) -> None:
    """Raise BundleError unless an allowed import path covers ``path``."""
    module_name, _ = split_path(path, where=where)
    if not is_allowed(path, allow_modules):
        raise BundleError(
            f"{where}: it runs code from {path!r}, which is not in allow_modules "
            f"{list(allow_modules)}; if you trust it, pass allow_modules=({module_name!r},)"
        )


def is_allowed(path: str, allow_modules: Sequence[str]) -> bool:
    """Return whether ``package.module:Class`` is allowed: itself, its module or one above."""
    return any(
        path == allowed or path.startswith((f"{allowed}:", f"{allowed}."))
        for allowed in allow_modules
    )
