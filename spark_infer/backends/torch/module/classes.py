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

from spark_infer.backends.failures.fault import sentence
from spark_infer.backends.module_path import ModulePath
from spark_infer.backends.torch.weights import assign_weights
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError, RuntimeUnavailable


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
    path = ModulePath.parse(str(model["module"]), where=where)
    path.check_allowed(allow_modules, where=where)
    module = build(path, model["arguments"], allow_modules, where=where)
    return assign_weights(module.eval(), root)


def build(
    path: ModulePath, arguments: Mapping[str, Any], allow_modules: Sequence[str], *, where: str
) -> torch.nn.Module:
    """Import a class and make one of it with keyword arguments.

    Raises:
        BundleError: It cannot be imported or made, is no torch module, or is defined elsewhere.
    """
    found = find_class(path, allow_modules, where=where)
    try:
        return found(**arguments)
    except Exception as error:
        # It is the user's code, which raises what it likes.
        raise BundleError(
            f"{where}: '{path}' cannot be made with the arguments {shown(dict(arguments))} "
            f"({sentence(error)}); correct the arguments"
        ) from None


def find_class(
    path: ModulePath, allow_modules: Sequence[str], *, where: str
) -> type[torch.nn.Module]:
    """Import a class.

    Raises:
        RuntimeUnavailable: It, or what it imports, is not in this Python.
        BundleError: It cannot be imported, is no torch module, or is defined elsewhere.
    """
    try:
        found = getattr(importlib.import_module(path.module), path.name)
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{where}: '{path}' cannot be imported here ({error}); install its package, or ship "
            "the file with spark-submit --py-files"
        ) from None
    except Exception as error:
        # What a module does when it is imported may raise anything.
        raise BundleError(
            f"{where}: '{path}' cannot be imported ({sentence(error)}); correct the module or its "
            "name"
        ) from None
    if not isinstance(found, type) or not issubclass(found, torch.nn.Module):
        raise BundleError(
            f"{where}: '{path}' is no subclass of torch.nn.Module; nothing else is called"
        )
    # What a module merely imported is somebody else's, and nobody allowed it.
    if not ModulePath(found.__module__, found.__qualname__).is_allowed(allow_modules):
        raise BundleError(
            f"{where}: '{path}' is defined in {found.__module__!r}, which is not in allow_modules "
            f"{list(allow_modules)}; name the class where it is defined"
        )
    return found
