from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from torch import nn

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.torch import format as torch_format
from spark_infer.backends.torch import weights
from spark_infer.backends.torch.program import format as export_format
from spark_infer.backends.torch.weights import WEIGHTS_FILE
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.errors import BundleError, ConfigError, RuntimeUnavailable
from tests.unit.support.models import HERE, fraud_rows


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.02), ("float16", 0.002)])
def test_half_precision_predictions_are_close(
    fraud: Bundle, precision: Any, tolerance: float
) -> None:
    rows = fraud_rows(30)
    full = si.Predictor(si.load_model(fraud), fraud).predict(rows)["score"].to_pylist()
    backend = load_backend(fraud, si.ModelOptions(precision=precision))
    half = si.Predictor(si.LocalModel(backend), fraud).predict(rows)["score"].to_pylist()
    assert half != full
    assert half == pytest.approx(full, abs=tolerance)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "int8"}, ConfigError, "precision 'int8' is unknown"),
        ({"device": "tpu:0"}, ConfigError, "device must be 'cpu', 'cuda' or 'cuda:0'"),
        ({"device": "cuda:99"}, RuntimeUnavailable, "device 'cuda:99' is not there"),
        ({"threads": 0}, ConfigError, "threads must be at least 1, got 0"),
    ],
)
def test_mistakes_are_named(
    fraud: Bundle, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_backend(fraud, si.ModelOptions(**options))


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_gets_its_own_backend(
    fraud: Bundle, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    # No test here has a GPU: these stand for what needs one.
    monkeypatch.setattr(torch_format, "check_device", lambda device: None)
    monkeypatch.setattr(
        export_format, "load_program", lambda path, device, *_, **__: f"program on {device}"
    )
    monkeypatch.setattr(torch_format, "CudaBackend", lambda model, outputs, **rest: (model, rest))
    model, options = load_backend(
        fraud, si.ModelOptions(device=device, precision="bfloat16", threads=2)
    )
    assert model == f"program on {device}"
    assert options == {
        "device": device,
        "precision": "bfloat16",
        "threads": 2,
        "row_independent": True,
        "stochastic": False,
        "is_program": True,
    }


@pytest.mark.parametrize("allow", [(), ("tests.unit.support.model",), ("models",)])
def test_a_module_needs_leave_to_run(recurrent: Bundle, allow: tuple[str, ...]) -> None:
    with pytest.raises(BundleError, match=f"runs code from '{HERE}:Recurrent', which is not in"):
        load_backend(recurrent, allow_modules=allow)
    for allowed in (HERE, "tests", f"{HERE}:Recurrent"):
        load_backend(recurrent, allow_modules=(allowed,))


def other_weights(path: Path) -> None:
    """Put a link to a file of the same names and shapes in the place of a bundle's weights."""
    tensors = {name: tensor * 2 for name, tensor in load_file(path).items()}
    save_file(tensors, path.parent.with_name("other"))
    path.unlink()
    path.symlink_to(path.parent.with_name("other"))


@pytest.mark.parametrize("kind", ["fraud_copy", "recurrent_copy"])
@pytest.mark.parametrize("when", ["before", "while mapped", "after mapped"])
def test_weights_that_changed_after_the_bundle_was_opened_are_not_used(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, when: str
) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    path = bundle.artifact_path / WEIGHTS_FILE
    load_backend(bundle, allow_modules=(HERE,))

    def map_others(file: Path) -> object:
        if when == "while mapped":
            other_weights(path)
        tensors = load_file(file)
        if when == "after mapped":
            other_weights(path)
        return tensors

    monkeypatch.setattr(weights, "load_file", map_others)
    if when == "before":
        other_weights(path)
    with pytest.raises(BundleError, match=r"weights\.safetensors is a symbolic link"):
        load_backend(bundle, allow_modules=(HERE,))


def test_a_bundle_saved_in_the_place_of_an_open_one_is_not_used(
    fraud_copy: Bundle, recurrent: Bundle
) -> None:
    shutil.rmtree(fraud_copy.path)
    shutil.copytree(recurrent.path, fraud_copy.path)
    with pytest.raises(BundleError, match="changed after it was opened; open it again with Bundle"):
        load_backend(fraud_copy, allow_modules=(HERE,))


@pytest.mark.parametrize("name", ["program.json", "weights.safetensors"])
@pytest.mark.parametrize("size", [0, 10, -20])
def test_a_truncated_model_is_a_broken_bundle(fraud_copy: Bundle, name: str, size: int) -> None:
    file = fraud_copy.artifact_path / name
    file.write_bytes(file.read_bytes()[:size])
    seal(fraud_copy.path)
    bundle = Bundle.load(fraud_copy.path)
    with pytest.raises(
        BundleError, match=f"{bundle.path}.*(is no program|cannot be rebuilt|do not fit)"
    ):
        load_backend(bundle)


def test_code_that_fails_is_a_broken_bundle(recurrent_copy: Bundle) -> None:
    manifest = recurrent_copy.path / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(
        text.replace(f"{HERE}:Recurrent", f"{__name__}:Explodes").replace("hidden", "x")
    )
    seal(recurrent_copy.path)
    with pytest.raises(BundleError, match=r"\(LookupError: out of luck, at test_load.py:\d+\)"):
        load_backend(Bundle.load(recurrent_copy.path), allow_modules=(__name__,))


class Explodes(nn.Module):
    def __init__(self, x: int) -> None:
        raise LookupError("out of luck")
