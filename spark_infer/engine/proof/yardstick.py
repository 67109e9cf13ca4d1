"""Whether two answers are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spark_infer.backends import Array
from spark_infer.bundle import Output
from spark_infer.engine.proof.answers import Answer

LEAST_SIZE = 0.5
MOST_SIZES = 200.0
"""How many times its usual size a small component counts as at most: with a tolerance of 1e-4, a
fiftieth of it may be lost."""
ROUNDINGS = 8
"""How much larger the rounding errors of a whole model are than that of one number."""
ROUNDING = ROUNDINGS * 2.0**-23
"""What is left of numbers near 1 that cancel."""
_MOST_PLACES = 64
"""Positions of an answer whose size is looked at."""


@dataclass(frozen=True)
class Slack:
    """What answers to a row may differ by for a reason that is known.

    Attributes:
        moves: For each output, how far each of its components may move.
        is_infinite: Whether the row holds an infinity. One number for it is not another one, nor an
            infinity; but what a layer makes of it beside padding may be NaN or not: infinity times
            zero.
    """

    moves: Sequence[Array]
    is_infinite: bool = False


@dataclass(frozen=True)
class Yardstick:
    """How far two answers may be apart.

    Attributes:
        tolerance: Share of a value, and of its component's usual size, by which it may differ:
            batches of other shapes are summed in another order.
        sizes: Usual size of each component of each output, over rows and positions: the median of
            its values that are not zero.
        least: Smaller components count as of this size, or as ``MOST_SIZES`` times their own where
            that is less: they may be what is left of larger numbers that cancel.
        roundings: What rounding may move each component of each output by, however small it is; of
            outputs without, by ``ROUNDING``.
    """

    tolerance: float
    sizes: Sequence[Array]
    least: float = LEAST_SIZE
    roundings: Sequence[Array] = ()

    @classmethod
    def of(
        cls, answers: Sequence[Answer], outputs: Sequence[Output], tolerance: float
    ) -> Yardstick:
        """Take the measure of some answers."""
        return cls(
            tolerance,
            [
                _usual_sizes([components(answer[place], output) for answer in answers])
                for place, output in enumerate(outputs)
            ],
        )

    def difference(
        self, one: Answer, other: Answer, outputs: Sequence[Output], slack: Slack | None = None
    ) -> tuple[str, str, str] | None:
        """Return output, value and other value where two answers differ, or None.

        NaN is the same as NaN; integers and truth values are the same or not. What moves anyway may
        differ by that as well.
        """
        for place, output in enumerate(outputs):
            a, b = components(one[place], output), components(other[place], output)
            if a.dtype.kind == "f":
                allowed = self._allowed(place, slack)
                same = _close(a.astype(np.float64), b.astype(np.float64), self.tolerance, allowed)
                if slack is not None and slack.is_infinite:
                    same |= np.isnan(a) | np.isnan(b)
            else:
                same = np.equal(a, b)
            if not same.all():
                where = tuple(np.argwhere(~same)[0])
                return output.name, f"{a[where]:.6g}", f"{b[where]:.6g}"
        return None

    def has_small(self) -> bool:
        """Return whether a component is so small that its roundings count."""
        return any((MOST_SIZES * sizes < self.least).any() for sizes in self.sizes)

    def _allowed(self, place: int, slack: Slack | None) -> Array:
        """Return how far the components of an output may be apart, whatever their values."""
        sizes = self.sizes[place]
        allowed: Array = self.tolerance * np.maximum(sizes, self.least)
        if slack is not None:
            return allowed + slack.moves[place]
        least = self.roundings[place] if self.roundings else ROUNDING
        bounded: Array = np.minimum(allowed, np.maximum(self.tolerance * MOST_SIZES * sizes, least))
        return bounded


def _close(a: Array, b: Array, relative: float, absolute: Array) -> Array:
    """Return where numbers are as good as the same, as ``numpy.isclose`` does.

    That takes one absolute tolerance for each component from numpy 2 on only.
    """
    with np.errstate(invalid="ignore"):
        near = np.isfinite(b) & (np.abs(a - b) <= absolute + relative * np.abs(b))
    close: Array = near | (a == b) | (np.isnan(a) & np.isnan(b))
    return close


def components(value: Array, output: Output) -> Array:
    """Return one row's output as (positions, components): one position where it has none."""
    return value.reshape(-1, int(np.prod(output.tensor_shape)))


def distances(one: Answer, other: Answer, outputs: Sequence[Output]) -> list[Array]:
    """Return for each output how far its components are apart, at the most over positions."""
    found = []
    for a, b, output in zip(one, other, outputs, strict=True):
        with np.errstate(invalid="ignore"):
            apart = np.abs(components(a, output) - components(b, output).astype(np.float64))
        found.append(np.where(np.isfinite(apart), apart, 0).max(axis=0, initial=0))
    return found


def _usual_sizes(values: Sequence[Array]) -> Array:
    few = [value[:: -(-len(value) // _MOST_PLACES) or 1] for value in values]
    sizes = np.abs(np.concatenate(few).astype(np.float64))
    counts = np.isfinite(sizes) & (sizes > 0)
    return np.array(
        [
            np.median(column[counted]) if counted.any() else 1.0
            for column, counted in zip(sizes.T, counts.T, strict=True)
        ]
    )
