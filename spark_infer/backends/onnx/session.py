"""Sessions of ONNX Runtime: where they run, on how many threads, and with which memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnxruntime as ort

from spark_infer.backends.options import ModelOptions
from spark_infer.bundle.cache.directory import cache_directory
from spark_infer.bundle.documents import cut
from spark_infer.errors import BundleError, ConfigError, RuntimeUnavailable

Provider = tuple[str, dict[str, str]]

_ONLY_FATAL = 4
_CPU: Provider = ("CPUExecutionProvider", {})
_SHRINK = "memory.enable_memory_arena_shrinkage"


def make_session(
    model: str | bytes, *, providers: Sequence[Provider] = (_CPU,), threads: int | None = None
) -> ort.InferenceSession:
    """Return a session of a graph that was checked.

    Args:
        model: The file, or its content.
        providers: What it runs on, the first one that can.
        threads: Threads of one batch; None for the cores of the machine.

    Raises:
        BundleError: ONNX Runtime does not run the graph.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    # Threads that wait for the next batch would take the cores of other tasks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # It would take a file for one of its own format by bytes in the middle, and read another model
    # there than the graph that was checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return ort.InferenceSession(model, options, providers=list(providers))
    except Exception as error:
        # Its errors have no common class.
        first = cut(str(error).splitlines()[0])
        raise BundleError(
            f"onnxruntime {ort.__version__} does not run the ONNX model ({first}); upgrade it, or "
            "export the model for an earlier opset"
        ) from None


def providers_for(
    options: ModelOptions, digest: str, available: Sequence[str] | None = None
) -> list[Provider]:
    """Return what a model runs on.

    Args:
        options: The device: ``cpu``, ``cuda`` or ``tensorrt``, the last two with a number.
        digest: The bundle's, for which TensorRT's engines are kept.
        available: The providers of this onnxruntime.

    Raises:
        ConfigError: The options ask for numbers of another precision.
        RuntimeUnavailable: This onnxruntime cannot run on the device.
    """
    if options.precision != "float32":
        raise ConfigError(
            f"precision {options.precision!r} is for torch models, and an ONNX model computes in "
            "the types of its graph; leave precision out, or convert the graph"
        )
    kind, _, number = options.device.partition(":")
    if kind == "cpu":
        return [_CPU]
    here = ort.get_available_providers() if available is None else available
    wanted = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}[kind]
    if wanted not in here:
        raise RuntimeUnavailable(
            f"device {options.device!r} needs {wanted}, and onnxruntime {ort.__version__} has "
            f"{', '.join(here)}; install onnxruntime-gpu instead of onnxruntime, or use device "
            "'cpu'"
        )
    device = {"device_id": number or "0"}
    cuda: Provider = (
        "CUDAExecutionProvider",
        {**device, "arena_extend_strategy": "kSameAsRequested"},
    )
    if kind == "cuda":
        return [cuda, _CPU]
    engines = cache_directory() / "tensorrt" / digest
    engines.mkdir(mode=0o700, parents=True, exist_ok=True)
    cached = {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(engines)}
    return [("TensorrtExecutionProvider", device | cached), cuda, _CPU]


def check_provider(session: Any, providers: Sequence[Provider]) -> None:
    """Raise RuntimeUnavailable where a session fell back to another provider than the first."""
    wanted = providers[0][0]
    used = session.get_providers()
    if wanted not in used:
        raise RuntimeUnavailable(
            f"the ONNX model was to run on {wanted}, which could not start here, and would run on "
            f"{', '.join(used)}; check the GPU's driver and the CUDA libraries, or use device 'cpu'"
        )


def run_options(*, shrinks: Sequence[str] = ()) -> ort.RunOptions:
    """Return the options of a run.

    Args:
        shrinks: Devices whose arenas give back their free memory after the run, as
            ``"cpu:0"``.
    """
    options = ort.RunOptions()
    options.log_severity_level = _ONLY_FATAL
    if shrinks:
        options.add_run_config_entry(_SHRINK, ";".join(shrinks))
    return options
