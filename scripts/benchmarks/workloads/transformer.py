"""A small transformer encoder, of the shape of MiniLM, with seeded random weights."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

import spark_infer as si
from spark_infer.backends.torch.weights import WEIGHTS_FILE

NUM_LAYERS = 6
WIDTH = 384
NUM_HEADS = 12
FEED_FORWARD = 4
VOCABULARY = 30_522
MAX_LENGTH = 512

SIGNATURE = si.Signature(
    inputs=[
        si.RaggedInput(
            "tokens",
            column="tokens",
            dtype="int64",
            max_length=MAX_LENGTH,
            overflow="keep_first",
            mask=True,
        )
    ],
    outputs=[si.Output("score")],
)


class Layer(nn.Module):
    """Attention and feed-forward, each with a residual and a layer norm after it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, FEED_FORWARD * width)
        self.outer = nn.Linear(FEED_FORWARD * width, width)
        self.outer_norm = nn.LayerNorm(width)

    def forward(self, hidden: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        heads = self.attention(hidden).unflatten(2, (3, NUM_HEADS, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=keys)
        mixed = self.mix(mixed.transpose(1, 2).flatten(2))
        hidden = self.attention_norm(hidden + mixed)
        return self.outer_norm(hidden + self.outer(F.gelu(self.inner(hidden))))


class Encoder(nn.Module):
    """Tokens to one score: six layers, then the mean over the real positions."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Embedding(MAX_LENGTH, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(NUM_LAYERS))
        self.score = nn.Linear(width, 1)

    def forward(self, tokens: torch.Tensor, tokens_mask: torch.Tensor) -> torch.Tensor:
        """Return one score for each row.

        Args:
            tokens: int64 [n, longest].
            tokens_mask: bool [n, longest], true at real positions.
        """
        hidden = self.norm(self.words(tokens) + self.positions.weight[: tokens.shape[1]])
        keys = tokens_mask[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, keys)
        real = tokens_mask.unsqueeze(2)
        mean = (hidden * real).sum(1) / real.sum(1).clamp(min=1)
        return self.score(mean).squeeze(1)


def make_encoder(width: int = WIDTH) -> Encoder:
    """Return an encoder with seeded random weights, ready to predict."""
    torch.manual_seed(0)
    return Encoder(width).eval()


def encoder_bundle(directory: Path) -> si.Bundle:
    """Save the encoder as a bundle."""
    return si.save_bundle(directory, make_encoder(), signature=SIGNATURE)


def load_encoder(bundle: Path, precision: str) -> Encoder:
    """Load a bundle's weights into the eager module, as somebody without a bundle would.

    In bfloat16 the weight matrices are stored in it, and ``score_tokens`` runs under autocast: the
    same arithmetic as the library's.
    """
    with torch.device("meta"):
        model = Encoder()
    model.load_state_dict(
        load_file(si.Bundle.load(bundle).artifact_path / WEIGHTS_FILE), assign=True
    )
    model.eval().requires_grad_(False)
    if precision != "float32":
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data = parameter.data.to(getattr(torch, precision))
    return model


def score_tokens(
    model: Encoder, tokens: torch.Tensor, mask: torch.Tensor, precision: str
) -> torch.Tensor:
    """Run a padded batch; the scores are float32."""
    half = precision != "float32"
    dtype = getattr(torch, precision) if half else None
    with torch.inference_mode(), torch.autocast("cpu", dtype=dtype, enabled=half):
        return model(tokens, mask).float()
