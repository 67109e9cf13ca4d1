"""What a model holds and lives among, to see what running it changes and to put that back."""

from __future__ import annotations

from spark_infer.backends.torch.state.state import State

__all__ = ["State"]
