"""The budget of one batch, and what the batch is to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Efficiency = Callable[[int], float]
"""Returns which share of a batch's tokens is not padding, by its budget."""

Purpose = Literal["trial", "compare", "settled", "look", "use"]


@dataclass(frozen=True)
class Choice:
    """The budget of a batch. It travels with the batch and comes back with its time.

    Attributes:
        tokens: The budget: the size that the batch shows the rate of, when it fills it.
        purpose: ``trial``: the size that the search has on trial. ``compare``: the best one so
            far, to compare that with. ``settled``: the best one after the search. ``look``: one
            that was worse. ``use``: whichever, and the batch is to show nothing.
        bucket: The length bucket that learns from it.
    """

    tokens: int
    purpose: Purpose = "use"
    bucket: int = 1

    @property
    def wants_time(self) -> bool:
        """Whether the time of the batch is to be recorded."""
        return self.purpose != "use"

    @property
    def wants_memory(self) -> bool:
        """Whether the device's memory is to be recorded with it."""
        return self.purpose in ("trial", "compare")


def shows(tokens: int, size: int) -> bool:
    """Tell whether a batch of so many tokens shows how fast a size is.

    Half of it or less says nothing: rows were few.
    """
    return 2 * tokens > size
