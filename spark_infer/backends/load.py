"""The backend that a bundle's model format asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from spark_infer.backends.backend import Backend
from spark_infer.backends.formats import find_format
from spark_infer.backends.module_path import ModulePath, check_allow_modules
from spark_infer.backends.options import ModelOptions
from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import check_kind


def load_backend(
    bundle: Bundle | str | os.PathLike[str],
    options: ModelOptions | None = None,
    *,
    allow_modules: Sequence[str] = (),
) -> Backend:
    """Load a bundle's model.

    Args:
        bundle: A bundle, its path or its URI.
        options: Where it runs, and with which numbers.
        allow_modules: Import paths (and what lies below them) that the bundle may name.

    Raises:
        BundleError: The model cannot be rebuilt, policy refuses it, or the bundle's files changed
            after it was opened.
        ConfigError: The device is unknown, the options are something else, or allow_modules is no
            list.
        RuntimeUnavailable: The format's library or the device is missing here.
    """
    options = ModelOptions() if options is None else options
    check_kind(options, ModelOptions, name="options", wanted="ModelOptions(device=...)")
    bundle = Bundle.load(bundle).current()
    check_allow_modules(allow_modules)
    backend = find_format(bundle.manifest.base.format).load(bundle, options, allow_modules)
    # What was read or mapped in between are the files that were verified.
    bundle.check_unchanged()
    return backend


def check_code(bundle: Bundle, allow_modules: Sequence[str]) -> None:
    """Check that the code which a bundle names is allowed, and is here.

    Nothing is done for a bundle that names none.

    Raises:
        BundleError: ``allow_modules`` does not cover it, or it is no class of a model.
        RuntimeUnavailable: It, or a library that it needs, is not in this Python. Another one may
            have it.
        ConfigError: ``allow_modules`` is no list of import paths.
    """
    check_allow_modules(allow_modules)
    base = bundle.manifest.base
    if "module" not in base.model:
        return
    where = f"bundle {bundle.path}"
    path = ModulePath.parse(base.model["module"], where=where)
    path.check_allowed(allow_modules, where=where)
    find_format(base.format).find_class(path, allow_modules, where=where)
