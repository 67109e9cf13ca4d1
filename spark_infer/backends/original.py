"""A model as its user gave it, to compare a stored one with."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from spark_infer.backends.backend import Backend

FLOAT32_RESOLUTION = 2.0**-23


class Original(Backend, Protocol):
    """A model as its user gave it.

    Attributes:
        resolution: Relative distance of neighboring numbers in the least precise type of its
            weights.
        num_weights: How many numbers its weights and buffers hold.
    """

    resolution: float
    num_weights: int

    def check_unchanged(self) -> None:
        """Raise SignatureError where the model has changed its own weights or buffers."""
        ...

    def check_draws_nothing(self) -> None:
        """Raise SignatureError where the model has drawn random numbers."""
        ...

    def check_asks_no_time(self) -> None:
        """Raise SignatureError where the model's code has asked what time it is."""
        ...

    def changed(self) -> list[str]:
        """Return the names of what the model holds and is not as it was before it ran."""
        ...

    def restore(self) -> None:
        """Make the model, and what its code keeps beside it, what they were before it ran."""
        ...

    def forget_weights(self) -> None:
        """Restore weights no more, for which they were copied."""
        ...

    def seeded(self) -> AbstractContextManager[None]:
        """Let the model draw the same random numbers each time."""
        ...


class Stateless:
    """What an original says that keeps nothing between calls: a model that another library read.

    Attributes:
        resolution: That of float32.
        num_weights: None that make a batch slow.
    """

    resolution: float = FLOAT32_RESOLUTION
    num_weights: int = 0

    def check_unchanged(self) -> None:
        """It cannot change."""

    def check_draws_nothing(self) -> None:
        """It draws nothing that others would notice."""

    def check_asks_no_time(self) -> None:
        """It knows no time."""

    def changed(self) -> list[str]:
        """Return that nothing did."""
        return []

    def restore(self) -> None:
        """There is nothing to restore."""

    def forget_weights(self) -> None:
        """None were copied."""

    def seeded(self) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()
