"""Code of another file than a model's, which keeps something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FIRST: list[float] = []


def first(value: float) -> float:
    """Return the first value that this was ever called with."""
    if not FIRST:
        FIRST.append(value)
    return FIRST[0]


class Keeper:
    """Keeps the first value in an attribute."""

    value: Any = None

    def first(self, value: float) -> float:
        if self.value is None:
            self.value = value
        return float(self.value)


class SlotKeeper:
    """Keeps the first value in a slot that is empty before."""

    __slots__ = ("value",)

    def first(self, value: float) -> float:
        if not hasattr(self, "value"):
            self.value = value
        return self.value


@dataclass(frozen=True)
class FrozenKeeper:
    """Keeps the first value although it is frozen."""

    __slots__ = ("value",)
    value: Any

    def first(self, value: float) -> float:
        if self.value is None:
            object.__setattr__(self, "value", value)
        return float(self.value)
