"""A model of which anybody sees what it predicts."""

from __future__ import annotations

import pytest
import torch

import spark_infer as si


class Double(torch.nn.Module):
    """Twice a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] * 2


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    """The bundle that doubles column ``a``."""
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    path = tmp_path_factory.mktemp("bundles") / "double"
    return si.save_bundle(path, Double(), signature=signature)
