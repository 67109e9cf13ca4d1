"""The backend that a bundle's model format asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from spark_infer.backends.backend import Backend
from spark_infer.backends.module_path import ModulePath, check_allow_modules
from spark_infer.backends.options import ModelOptions
from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import check_kind
from spark_infer.errors import BundleError, RuntimeUnavailable, SparkInferError


def load_backend(
    bundle: Bundle | str | os.PathLike[str],
    options: ModelOptions | None = None,
    *,
    allow_modules: Sequence[str] = (),
) -> Backend:
    """Load a bundle's model.

    Args:
        bundle: A bundle or its path.
        options: Where it runs, and with which numbers.
        allow_modules: Import paths (and what lies below them) that a ``module`` bundle may name.

    Raises:
        BundleError: The model cannot be rebuilt, policy refuses it, or the bundle's files changed
            after it was opened.
        ConfigError: The device is unknown, the options are something else, or allow_modules is no
            list.
        RuntimeUnavailable: torch or the device is missing here.
    """
    options = ModelOptions() if options is None else options
    check_kind(options, ModelOptions, name="options", wanted="ModelOptions(device=...)")
    bundle = Bundle.load(bundle).current()
    check_allow_modules(allow_modules)
    manifest = bundle.manifest
    try:
        from spark_infer.backends.torch.backend import TorchBackend, check_device
        from spark_infer.backends.torch.cuda import CudaBackend
        from spark_infer.backends.torch.module import load_module
        from spark_infer.backends.torch.program.graph import load_program
    except ModuleNotFoundError as error:
        raise missing_library(error) from None
    check_device(options.device)
    outputs = [output.name for output in bundle.signature.outputs]
    try:
        if manifest.model_format == "export":
            model = load_program(
                bundle.path,
                options.device,
                len(bundle.signature.tensor_names),
                stochastic=manifest.stochastic,
            )
        else:
            model = load_module(bundle.path, manifest.model, allow_modules)
    except SparkInferError:
        raise
    except Exception as error:
        # torch, safetensors and the module's own code raise what they like.
        raise BundleError(f"bundle {bundle.path}: the model cannot be rebuilt: {error}") from error
    # What was mapped in between are the files that were verified.
    bundle.check_unchanged()
    kind = CudaBackend if options.device.startswith("cuda") else TorchBackend
    return kind(
        model,
        outputs,
        device=options.device,
        precision=options.precision,
        threads=options.threads,
        row_independent=manifest.row_independent,
        stochastic=manifest.stochastic,
        is_program=manifest.model_format == "export",
    )


def check_code(bundle: Bundle, allow_modules: Sequence[str]) -> None:
    """Check that the code which a bundle of format ``module`` runs is allowed, and is here.

    Nothing is done for other bundles, which run none.

    Raises:
        BundleError: ``allow_modules`` does not cover it, or it is no torch module's class.
        RuntimeUnavailable: It, or a library that it needs, is not in this Python. Another one may
            have it.
        ConfigError: ``allow_modules`` is no list of import paths.
    """
    check_allow_modules(allow_modules)
    if bundle.manifest.model_format != "module":
        return
    where = f"bundle {bundle.path}"
    path = ModulePath.parse(str(bundle.manifest.model["module"]), where=where)
    path.check_allowed(allow_modules, where=where)
    try:
        from spark_infer.backends.torch.module import find_class
    except ModuleNotFoundError as error:
        raise missing_library(error) from None
    find_class(path, allow_modules, where=where)


def missing_library(error: ModuleNotFoundError) -> RuntimeUnavailable:
    """Explain which library is missing in which Python, and how to install it."""
    import platform
    import sys

    name = (error.name or "a library").partition(".")[0]
    return RuntimeUnavailable(
        f"{name} is not installed for {sys.executable} on host {platform.node()}; install it there "
        f"(pip install {name}) or point PYSPARK_PYTHON to a Python that has it"
    )
