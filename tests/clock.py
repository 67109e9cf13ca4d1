"""A model that moves the clock of its worker."""

from __future__ import annotations

import time

import torch
from pyspark import TaskContext

from spark_infer.model import deadline

LAST = 77.0
"""In a task that has predicted this number, it is two days later."""
_DAYS = 2 * 24 * 60 * 60


class Skipping(torch.nn.Module):
    """Doubles a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x == LAST).any()):
            late = _task()
            deadline.now = lambda: time.time() + (_DAYS if _task() == late else 0)
        return x[:, 0] * 2


def _task() -> int | None:
    context = TaskContext.get()
    return None if context is None else context.taskAttemptId()
