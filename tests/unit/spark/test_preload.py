"""A worker that is forked after ``preload`` has nothing left to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("torch")

import torch
from torch import nn

import spark_infer as si

pytestmark = pytest.mark.processes

PROGRAM = """
import json, os, sys, threading
from spark_infer.spark.daemon import preload

preload()
import torch
print(json.dumps([threading.active_count(), torch.cuda.is_initialized()]), flush=True)
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))

import pyarrow as pa
import spark_infer as si
from spark_infer.runtime import shared_model

before = set(sys.modules)
bundle = si.Bundle.load(sys.argv[1])
model = shared_model(bundle.digest, lambda: bundle, si.BatchOptions(), allow_modules=["tests"])
rows = pa.record_batch({name: pa.array(values) for name, values in json.loads(sys.argv[2]).items()})
predicted = si.Predictor(model.model, bundle).predict(rows).to_pylist()
print(json.dumps([sorted(set(sys.modules) - before), predicted]))
"""

HEAVY = ("numpy", "pandas", "pyspark", "safetensors", "spark_infer", "sympy", "torch")


class Network(nn.Module):
    """A layer on two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).squeeze(1)


class Blocks(Network):
    """The same with blocks that torch stores as graphs of their own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = super().forward(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = super().forward(x)
        return y + z.float()


class Branches(Network):
    """The same with a condition."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        large = (self.layer.weight > 1_000).all()
        return torch.cond(large, lambda y: y.sin(), lambda y: y.cos() + 1, (y,))


class Attention(nn.Module):
    """The layers of a language model over rows of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(100, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.layers(self.words(x.clamp(0, 99)), src_key_padding_mask=~x_mask)
        return torch.where(x_mask.unsqueeze(2), hidden, 0.0).sum((1, 2))


NUMBERS = si.ScalarInput("x", columns=["a", "b"])
WORDS = si.RaggedInput("x", column="x", dtype="int64", max_length=64)
ROWS = {"x": {"a": [1.0, 2.0], "b": [0.5, None]}, "ragged": {"x": [[1, 2, 3], None]}}


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize(
    ("model", "format"),
    [
        (Network, "export"),
        (Network, "module"),
        (Blocks, "export"),
        (Blocks, "module"),
        (Branches, "export"),
        (Attention, "export"),
        (Attention, "module"),
    ],
)
def test_a_forked_worker_imports_nothing_heavy(
    model: type[nn.Module], format: Any, tmp_path: Path
) -> None:
    ragged = model is Attention
    module = {"module": f"{__name__}:{model.__name__}"} if format == "module" else {}
    signature = si.Signature(inputs=[WORDS if ragged else NUMBERS], outputs=[si.Output("score")])
    bundle = si.save_bundle(
        tmp_path / "bundle", model(), signature=signature, format=format, **module
    )
    rows = ROWS["ragged" if ragged else "x"]
    command = [sys.executable, "-c", PROGRAM, str(bundle.path), json.dumps(rows)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parent, child = (json.loads(line) for line in done.stdout.splitlines())
    assert parent == [1, False]  # no thread and no CUDA before the fork
    imported, predicted = child
    assert [name for name in imported if name.partition(".")[0] in HEAVY] == []
    assert isinstance(predicted[0]["score"], float)
    assert predicted[1]["rejected_reason"].endswith("is null")
