"""A job whose runs are looked at afterwards, and bundles that challenge its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from tests.spark.sinks.conftest import by_sql, job

__all__ = ["by_sql", "job"]


class Weighted(torch.nn.Module):
    """A weighted sum of two numbers, and whether it is large."""

    def __init__(self, one: float, other: float, bias: float) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor([one, other]))
        self.bias = bias

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score = (x * self.weights).sum(1) + self.bias
        return score, (score > 2).to(torch.int64)


@pytest.fixture
def weighted(tmp_path: Path) -> Callable[..., si.Bundle]:
    """Saves a bundle with a score and a label."""

    def save(
        name: str,
        one: float = 1.0,
        other: float = 10.0,
        bias: float = 0.0,
        columns: tuple[Any, ...] = ("a", "double_b"),
        **how: Any,
    ) -> si.Bundle:
        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=list(columns))],
            outputs=[si.Output("score"), si.Output("size", dtype="int64", labels=("low", "high"))],
        )
        how.setdefault("features", {"double_b": "b * 2"} if "double_b" in columns else {})
        model = Weighted(one, other, bias)
        return si.save_bundle(tmp_path / name, model, signature=signature, **how)

    return save
