"""Infinities: what stands for one must not come from the rows beside it, or from padding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.errors import SignatureError

Clean = Callable[[Tensor, int], Tensor]


def capped(x: Tensor, dim: int) -> Tensor:
    """Replace infinities by the largest finite number along a dimension."""
    finite = x.masked_fill(x.isinf(), -1e30)
    return torch.where(x.isinf(), finite.amax(dim, keepdim=True), x)


def floored(x: Tensor, dim: int) -> Tensor:
    """Replace minus infinity by the least finite number along a dimension."""
    finite = x.masked_fill(x.isinf(), 1e30)
    return torch.where(x == -torch.inf, finite.amin(dim, keepdim=True), x).clamp(max=1e30)


class ByBatch(nn.Module):
    def __init__(self, function: Clean) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, 0).sum(1)


class ByPosition(nn.Module):
    def __init__(self, function: Clean) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (self.function(x, 1) * mask).sum(1)


class Convolution(nn.Module):
    """What it makes of an infinity is NaN where padding stands beside it, and a number alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv1d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        real = mask.float().unsqueeze(1)
        found = self.layer(x.unsqueeze(1) * real) * real
        return torch.sigmoid(self.head(found.sum(2) / real.sum(2).clamp(min=1)))


@pytest.mark.parametrize("function", [capped, floored])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_infinity_may_not_become_a_neighbors_number(
    tmp_path: Path, function: Clean, dtype: str
) -> None:
    item = si.ScalarInput("x", columns=["ratio", "b"], dtype=dtype)
    signature = si.Signature(inputs=[item], outputs=[si.Output("y", dtype=dtype)])
    with pytest.raises(SignatureError, match=r"depends on the rows beside it, the row .*inf"):
        si.save_bundle(tmp_path / "b", ByBatch(function), signature=signature)


@pytest.mark.parametrize("function", [capped, floored])
def test_an_infinity_may_not_become_the_paddings_number(tmp_path: Path, function: Clean) -> None:
    signature = si.Signature(inputs=[si.RaggedInput("x", column="x")], outputs=[si.Output("y")])
    with pytest.raises(SignatureError, match=r"depends on its padding, the row .*inf"):
        si.save_bundle(tmp_path / "b", ByPosition(function), signature=signature)


def test_a_model_that_treats_rows_by_themselves_is_saved(tmp_path: Path) -> None:
    signature = si.Signature(inputs=[si.RaggedInput("x", column="x")], outputs=[si.Output("y")])
    si.save_bundle(tmp_path / "conv", Convolution(), signature=signature)
    scalar = si.ScalarInput("x", columns=["a", "b"])
    network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    given = si.Signature(inputs=[scalar], outputs=[si.Output("y")])
    si.save_bundle(tmp_path / "mlp", network, signature=given)
