from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spark_infer as si
from spark_infer.backends.torch import export as torch_export
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError

Edit = Callable[[str, bytes], bytes]


def rewrite(path: Path, edit: Edit, extra: dict[str, bytes] | None = None) -> None:
    """Rewrite a zip archive with each entry edited, and some more entries."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, edit(name, content))
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    path.write_bytes(buffer.getvalue())


def keep(name: str, content: bytes) -> bytes:
    return content


def pickle_tensors(name: str, content: bytes) -> bytes:
    if not name.endswith("_config.json"):
        return content
    config = json.loads(content)
    config["config"]["weight"] = {"path_name": "weight_0", "use_pickle": True}
    return json.dumps(config).encode()


def test_the_program_holds_no_weights(fraud: Bundle) -> None:
    with zipfile.ZipFile(fraud.path / "model.pt2") as archive:
        weights = [e for e in archive.infolist() if "/weights/" in e.filename]
        assert sum(e.file_size for e in weights if not e.filename.endswith(".json")) == 0
    torch_export.load(fraud.path)


@pytest.mark.parametrize(
    ("edit", "extra", "message"),
    [
        (pickle_tensors, {}, "names pickled tensors"),
        (keep, {"archive/data/evil.pkl": b"\x80\x04."}, r"evil\.pkl is a pickle and is not loaded"),
        (keep, {"archive/evil.pt": b"\x80\x04."}, r"evil\.pt is a pickle and is not loaded"),
    ],
)
def test_pickles_inside_the_program_are_refused(
    fraud_copy: Bundle, edit: Edit, extra: dict[str, bytes], message: str
) -> None:
    rewrite(fraud_copy.path / "model.pt2", edit, extra)
    with pytest.raises(BundleError, match=f"model\\.pt2: .*{message}"):
        torch_export.load(fraud_copy.path)


def test_a_rewritten_program_without_pickles_loads(fraud_copy: Bundle) -> None:
    rewrite(fraud_copy.path / "model.pt2", keep)
    torch_export.load(fraud_copy.path)


class Constants(nn.Module):
    """Uses every sort of tensor that a module can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.tensor([1.0, 2.0]))
        self.register_buffer("fleeting", torch.tensor([10.0, 20.0]), persistent=False)
        self.plain = torch.tensor([100.0, 200.0])
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))
        self.tied = self.weight

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        total = self.kept + self.fleeting + self.plain + torch.tensor([0.5, 0.5])
        return {"unused": x, "y": (x + total) @ self.weight + self.tied.sum()}


def test_constants_and_tied_weights_survive(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    bundle = si.save_bundle(tmp_path / "b", Constants(), signature=signature)
    (output,) = si.load_backend(bundle).run({"x": np.zeros((1, 2), np.float32)})
    assert output.tolist() == [3 * 111.5 + 4 * 222.5 + 7]


class Positions(Constants):
    """Makes a tensor where its input is."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return super().forward(x * torch.arange(x.shape[1], device=x.device))


def test_a_program_makes_its_tensors_where_it_is_loaded_for(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    bundle = si.save_bundle(tmp_path / "b", Positions(), signature=signature)
    # This device has no memory; torch refuses to mix it with the host, as it does for a GPU.
    module = torch_export.load(bundle.path, "meta")
    assert {value.device.type for value in module.state_dict().values()} == {"cpu"}
    outputs = module.to("meta")(torch.zeros(3, 2, device="meta"))
    assert outputs["y"].device.type == "meta"
    assert outputs["y"].shape == (3,)


@pytest.mark.parametrize(
    ("item", "shapes"),
    [
        (si.ScalarInput("x", columns=["a"], dtype="int64"), [(1,)]),
        (si.ArrayInput("x", column="a", shape=[2, 3], presence=True), [(2, 3), (2, 3)]),
        (si.RaggedInput("x", column="a", fields=["p"], presence=True), [(1,), (), (1,)]),
        (si.RaggedInput("x_mask", column="a", mask=False, dtype="bool"), [()]),
    ],
)
def test_examples_have_the_shape_and_type_of_the_tensors(item: Any, shapes: list) -> None:
    examples = [torch_export._example(item, name) for name in item.tensor_names]
    lead = 2 if isinstance(item, si.RaggedInput) else 1
    assert [tuple(example.shape[lead:]) for example in examples] == shapes
    dtypes = [str(example.dtype) for example in examples]
    assert dtypes == [f"torch.{item.dtype}", *["torch.bool"] * (len(shapes) - 1)]


def test_a_model_that_branches_on_values_cannot_be_exported(tmp_path: Path) -> None:
    class Branches(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
    with pytest.raises(BundleError, match=r"Branches cannot be exported.*format='module' instead"):
        si.save_bundle(tmp_path / "b", Branches(), signature=signature)
