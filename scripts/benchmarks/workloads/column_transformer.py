"""A transformer over the columns of a row, each a token (FT-Transformer, Gorishniy et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.workloads.small_network import NUM_FEATURES

WIDTH = 32
LAYERS = 2
HEADS = 4


class ColumnTransformer(nn.Module):
    """Gives a score for each row of thirty floats."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(NUM_FEATURES, WIDTH))
        self.bias = nn.Parameter(torch.randn(NUM_FEATURES, WIDTH))
        self.first = nn.Parameter(torch.randn(1, 1, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the scores, shape (rows,), of features of shape (rows, 30)."""
        tokens = features.unsqueeze(2) * self.weight + self.bias
        first = self.first.expand(features.shape[0], 1, WIDTH)
        return self.head(self.layers(torch.cat([first, tokens], 1))[:, 0])[:, 0]


def column_transformer() -> ColumnTransformer:
    """Return the network with seeded random weights."""
    torch.manual_seed(0)
    return ColumnTransformer().eval()
