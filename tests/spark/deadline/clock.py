"""A model that moves the clock of its worker."""

from __future__ import annotations

import time

import torch

from spark_infer.model import deadline

LAST = 77.0
"""For whoever has predicted this number, it is two days later."""
_DAYS = 2 * 24 * 60 * 60


class Skipping(torch.nn.Module):
    """Doubles a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x == LAST).any()):
            deadline.now = lambda: time.time() + _DAYS
        return x[:, 0] * 2
