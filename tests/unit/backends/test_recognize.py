"""Which format a model is of, and what is said of models that none stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from spark_infer.backends.recognize import recognize
from spark_infer.errors import BundleError, SignatureError


def of_class(name: str, base: type = object) -> Any:
    """Return an object of a class that a library which is not here would have."""
    module, _, kind = name.rpartition(".")
    return type(kind, (base,), {"__module__": module})()


def test_a_torch_module_is_exported() -> None:
    assert recognize(torch.nn.Linear(1, 1)) == "export"


def test_what_another_package_makes_of_a_torch_module_is_exported() -> None:
    assert recognize(of_class("keras.wrapped.Net", torch.nn.Module)) == "export"


def test_a_torch_module_needs_a_signature(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match=r"does not say what it takes.*pass signature="):
        si.save_bundle(tmp_path / "b", torch.nn.Linear(1, 1))
    with pytest.raises(BundleError, match="columns is for models that say themselves"):
        si.save_bundle(tmp_path / "b", torch.nn.Linear(1, 1), columns=["a"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("m.pt", "TorchScript or a pickle of torch.*pass the torch module"),
        ("m.PTH", "TorchScript or a pickle of torch"),
        ("m.ckpt", "TorchScript or a pickle of torch"),
        ("m.jit", "is TorchScript.*torch.onnx.export"),
        ("m.torchscript", "is TorchScript.*torch.onnx.export"),
        ("m.pkl", "is a pickle.*pass the object that comes out"),
        ("m.pickle", "is a pickle"),
        ("m.joblib", "is a pickle"),
        ("m.dill", "is a pickle"),
        ("m.h5", r"Keras.*model.export\('model.onnx', format='onnx'\)"),
        ("m.keras", r"Keras.*model.export\('model.onnx'"),
        ("m.pb", "TensorFlow.*tf2onnx"),
        ("m.tflite", "TensorFlow Lite.*tf2onnx"),
        ("m.cbm", r"CatBoost.*save_model\('model.onnx', format='onnx'\)"),
        ("m.pt2", "archive of torch.export.*pass the torch module"),
        ("m.safetensors", "weights without the model"),
        ("pytorch_model.bin", "weights without the model"),
        ("m.engine", "TensorRT.*save the ONNX file"),
        ("m.ort", "already optimized"),
        ("m.gguf", "llama.cpp"),
        ("m.pmml", "PMML.*ONNX"),
        ("m.mlmodel", "Core ML.*ONNX"),
        ("m.docx", "must be a torch.nn.Module.*or a file of one"),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_that_cannot_come_names_the_way(
    tmp_path: Path, name: str, says: str, as_text: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(b"?")
    with pytest.raises(BundleError, match=says) as raised:
        si.save_bundle(tmp_path / "b", str(path) if as_text else path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["saved_model.pb", "variables"], "TensorFlow.*tf2onnx"),
        (["keras_metadata.pb"], "TensorFlow.*tf2onnx"),
        (["MLmodel", "model.pkl"], "MLflow.*pass the object"),
        (["SHA256SUMS", "manifest.json"], "a bundle already"),
        (["model.onnx"], "pass the path of its .onnx file"),
        (["notes.txt"], "holds no config.json"),
    ],
)
def test_a_directory_that_cannot_come_names_the_way(
    tmp_path: Path, files: list[str], says: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in files:
        (folder / file).write_bytes(b"")
    with pytest.raises(BundleError, match=says):
        si.save_bundle(tmp_path / "b", folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("keras.src.models.model.Model", "the Model is a Keras model"),
        ("tensorflow.python.trackable.Trackable", "TensorFlow"),
        ("catboost.core._CatBoostBase", "CatBoost"),
        ("flax.core.Module", "JAX"),
        (
            "torch.export.exported_program.ExportedProgram",
            "pass the torch module that was exported",
        ),
        (
            "onnxruntime.capi.onnxruntime_inference_collection.InferenceSession",
            "pass the path of its .onnx file",
        ),
        ("somebody.Model", "must be a torch.nn.Module.*got Model"),
    ],
)
def test_an_object_that_cannot_come_names_the_way(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        si.save_bundle(tmp_path / "b", of_class(name))


@pytest.mark.parametrize("model", [None, 3, b"ONNX", [1.0]])
def test_what_is_no_model_is_told(tmp_path: Path, model: object) -> None:
    with pytest.raises(BundleError, match=r"the model must be a torch\.nn\.Module"):
        si.save_bundle(tmp_path / "b", model)


def test_weights_alone_are_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="weights without the model"):
        si.save_bundle(tmp_path / "b", dict(torch.nn.Linear(1, 1).state_dict()))
