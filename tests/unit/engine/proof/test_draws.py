"""Models that draw random numbers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.bundle.files.digest import seal
from spark_infer.errors import BundleError, SignatureError

HERE = __name__
ROWS = {"a": [1.0] * 400, "b": [2.0] * 400}


class Draws(nn.Module):
    def __init__(self, kind: str = "rare") -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        return KINDS[self.kind](x)


def rare(x: Tensor) -> Tensor:
    return x.sum(1) + (torch.rand(x.shape[0]) < 1e-9) * 1000.0


def rare_by_numpy(x: Tensor) -> Tensor:
    return x.sum(1) + (np.random.random() < 1e-9) * 1000.0


def rare_by_python(x: Tensor) -> Tensor:
    return x.sum(1) + (random.random() < 1e-9) * 1000.0


KINDS: dict[str, Any] = {
    "rare": rare,
    "rare_by_numpy": rare_by_numpy,
    "rare_by_python": rare_by_python,
    "dropout": lambda x: functional.dropout(x, 0.5, True).sum(1),
    "alpha_dropout": lambda x: functional.alpha_dropout(x, 0.5, True).sum(1),
    "dropout1d": lambda x: functional.dropout1d(x.unsqueeze(2), 0.5, True).sum((1, 2)),
    "gumbel": lambda x: functional.gumbel_softmax(x)[:, 0],
    "uniform": lambda x: torch.empty(x.shape[0]).uniform_() + x.sum(1),
    "new": lambda x: x.new_empty(x.shape[0]).normal_() + x.sum(1),
    "like": lambda x: torch.empty_like(x).exponential_().sum(1),
}


def save(path: Path, kind: str, **options: Any) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    return si.save_bundle(path, Draws(kind), signature=signature, **options)


@pytest.mark.parametrize("kind", ["rare", "rare_by_numpy", "rare_by_python"])
@pytest.mark.parametrize("format", ["export", "module"])
def test_a_rare_draw_that_was_not_declared_is_refused(
    tmp_path: Path, kind: str, format: Any
) -> None:
    options: dict[str, Any] = {"format": format}
    if format == "module":
        options |= {"module": f"{HERE}:Draws", "arguments": {"kind": kind}}
    with pytest.raises(SignatureError, match=r"draws random numbers from .*stochastic=True"):
        save(tmp_path / "b", kind, **options)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("rare")])
def test_models_that_draw_are_stored_without_memory_that_nobody_filled(
    tmp_path: Path, kind: str
) -> None:
    bundle = save(tmp_path / "b", kind, stochastic=True)
    program = json.loads((bundle.artifact_path / "program.json").read_text())
    assert not [node for node in program["nodes"] if "empty" in node["operator"]]
    values = si.Predictor(si.load_model(bundle), bundle).predict(ROWS)["y"].to_pylist()
    assert len(set(values)) > 1
    if kind == "dropout":
        assert set(values) == {0.0, 2.0, 4.0, 6.0}


def test_a_program_that_draws_is_not_loaded_as_one_that_does_not(tmp_path: Path) -> None:
    bundle = save(tmp_path / "b", "dropout", stochastic=True)
    manifest = bundle.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"stochastic": true', '"stochastic": false'))
    (bundle.path / "SHA256SUMS").unlink(missing_ok=True)
    seal(bundle.path)
    with pytest.raises(BundleError, match="its program draws random numbers"):
        load_backend(si.Bundle.load(bundle.path))


def test_dropout_of_a_trained_model_draws_nothing(tmp_path: Path) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
    model = nn.Sequential(layer, nn.Dropout(0.5), nn.RReLU(), nn.Flatten(), nn.Linear(24, 1))
    signature = si.Signature(
        inputs=[si.ArrayInput("x", column="x", shape=(3, 8))], outputs=[si.Output("y")]
    )
    assert not si.save_bundle(tmp_path / "b", model, signature=signature).manifest.stochastic
