"""Which format a user's model is stored in, told without importing any library."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from spark_infer.backends.formats import CONVERTED, FORMATS
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError

_TO_ONNX = "convert it to ONNX and save that: save_bundle(path, 'model.onnx', ...)"
_TORCHSCRIPT = (
    "the model is TorchScript, a program that only torch.jit reads; save the torch module that it "
    "was made from: save_bundle(path, module, signature=...), or export that module with "
    "torch.onnx.export(..., dynamo=True) and save the .onnx file"
)
_TORCH_FILE = (
    "{} is TorchScript or a pickle of torch, and neither is read; pass the torch module itself "
    "(of TorchScript the one that it was made from), or export that with "
    "torch.onnx.export(..., dynamo=True) and save the .onnx file"
)
_PICKLE = (
    "{} is a pickle or may hold one, which runs code when it is read; load it where you trust it "
    "and pass the object that comes out, or save it there in the library's own format"
)
_WEIGHTS = (
    "{} holds weights without the model that uses them; load them into the module "
    "(module.load_state_dict(...)) and pass the module, or pass the model's whole directory"
)
_KERAS = (
    "{} is a Keras model, which no format here stores; export it with "
    "model.export('model.onnx', format='onnx') (Keras 3) or python -m tf2onnx.convert --keras, and "
    "save the .onnx file"
)
_TENSORFLOW = (
    "{} is a TensorFlow model, which no format here stores; convert it with python -m "
    "tf2onnx.convert --saved-model DIRECTORY --output model.onnx, and save the .onnx file"
)
_CATBOOST = (
    "{} is a CatBoost model, which no format here stores; write it with "
    "model.save_model('model.onnx', format='onnx'), and save the .onnx file"
)
_REFUSED_SUFFIXES = {
    **dict.fromkeys((".pt", ".pth", ".ckpt"), _TORCH_FILE),
    **dict.fromkeys((".jit", ".torchscript", ".ts"), _TORCHSCRIPT),
    **dict.fromkeys((".pkl", ".pickle", ".p", ".joblib", ".skops", ".dill"), _PICKLE),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), _KERAS),
    ".pb": _TENSORFLOW,
    ".tflite": (
        "{} is a TensorFlow Lite model, which no format here stores; convert it with python -m "
        "tf2onnx.convert --tflite FILE --output model.onnx, and save the .onnx file"
    ),
    ".cbm": _CATBOOST,
    ".coreml": _CATBOOST,
    ".pt2": (
        "{} is an archive of torch.export, whose loader runs code; pass the torch module that was "
        "exported: save_bundle(path, module, signature=...)"
    ),
    **dict.fromkeys((".safetensors", ".bin"), _WEIGHTS),
    **dict.fromkeys(
        (".engine", ".plan", ".trt"),
        "{} is an engine of TensorRT for one kind of GPU; save the ONNX file that it was built of, "
        "and TensorRT builds it anew where the bundle is loaded",
    ),
    ".ort": "{} is a graph that ONNX Runtime has already optimized; save the .onnx file instead",
    ".gguf": "{} is a language model of llama.cpp, which no format here stores",
    ".pmml": f"{{}} is a PMML document, which no format here stores; {_TO_ONNX}",
    ".mlmodel": f"{{}} is a Core ML model, which no format here stores; {_TO_ONNX}",
}
_REFUSED_CLASSES = {
    "torch.jit._script.ScriptModule": _TORCHSCRIPT,
    "torch.export.exported_program.ExportedProgram": (
        "the model is an exported program already, and saving traces the module itself with the "
        "shapes of the signature; pass the torch module that was exported"
    ),
    "onnxruntime.capi.onnxruntime_inference_collection.InferenceSession": (
        "the model is a session of ONNX Runtime, which does not give its graph back; pass the path "
        "of its .onnx file"
    ),
    "catboost.core._CatBoostBase": _CATBOOST,
}
_REFUSED_PACKAGES = {
    "keras": _KERAS,
    "tf_keras": _KERAS,
    "tensorflow": _TENSORFLOW,
    "jax": f"{{}} is a JAX model, which no format here stores; {_TO_ONNX}",
    "flax": f"{{}} is a JAX model, which no format here stores; {_TO_ONNX}",
}


def recognize(model: object) -> str:
    """Return the name of the format, or of the kind of models, that a model is of.

    An object is known by the names of its classes, a file by the end of its name and a directory
    by the files in it.

    Raises:
        BundleError: It is of no kind that can be stored; the message says how it can be.
    """
    path = _path(model)
    return _of_object(model) if path is None else _of_path(path)


def _path(model: object) -> Path | None:
    return Path(model) if isinstance(model, (str, os.PathLike)) else None


def _of_object(model: object) -> str:
    classes = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__]
    what = f"the {type(model).__name__}"
    for name in classes:
        if (refusal := _REFUSED_CLASSES.get(name)) is not None:
            raise BundleError(refusal.format(what))
    # What others made of a torch module is one, whatever package it is of.
    for name, entry in (FORMATS | CONVERTED).items():
        if any(known in classes for known in entry.classes):
            return name
    for name in classes:
        if (refusal := _REFUSED_PACKAGES.get(name.partition(".")[0])) is not None:
            raise BundleError(refusal.format(what))
    if isinstance(model, Mapping):
        raise BundleError(_WEIGHTS.format("the dict"))
    raise BundleError(
        f"the model must be {_known()}, got {type(model).__name__} {shown(model)}; give its "
        "library's own file, or convert it to ONNX"
    )


def _of_path(path: Path) -> str:
    if path.is_dir():
        return _of_directory(path)
    suffix = path.suffix.lower()
    refusal = _REFUSED_SUFFIXES.get(suffix)
    if refusal is not None:
        raise BundleError(refusal.format(path))
    for name, entry in (FORMATS | CONVERTED).items():
        if suffix in entry.suffixes:
            if not path.is_file():
                raise BundleError(f"the model {path} is not there; check its path")
            return name
    raise BundleError(f"the model {path} must be {_known()}; nothing else is read")


def _of_directory(path: Path) -> str:
    files = {file.name for file in path.iterdir()}
    if "saved_model.pb" in files or "keras_metadata.pb" in files:
        raise BundleError(_TENSORFLOW.format(path))
    if "MLmodel" in files:
        raise BundleError(
            f"{path} is a model of MLflow, which is read as code; load it (mlflow.sklearn, "
            "mlflow.xgboost, mlflow.pytorch and so on) and pass the object that comes out"
        )
    if "SHA256SUMS" in files and "manifest.json" in files:
        raise BundleError(f"{path} is a bundle already; copy it, or open it with Bundle.load")
    if "config.json" in files:
        return "transformers"
    if any(name.endswith((".onnx", ".ONNX")) for name in files):
        raise BundleError(f"the model {path} is a directory; pass the path of its .onnx file")
    raise BundleError(
        f"the directory {path} holds no config.json, which a model of Hugging Face has; pass the "
        "file of the model, or the object"
    )


def _known() -> str:
    suffixes = [suffix for entry in (FORMATS | CONVERTED).values() for suffix in entry.suffixes]
    endings = ", ".join(dict.fromkeys(suffixes))
    return (
        "a torch.nn.Module, a model of another library that the README lists, or a file of one "
        f"({endings})"
    )
