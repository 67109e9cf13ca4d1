"""Whether two answers are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
_FAR = 20.0
"""How many times as far from 0 as from each other values are that have a center."""
_CENTRAL = 0.1
"""Share of the tolerance that counts for the center: what sums of large numbers lose."""
_LEAST_VALUES = 8
"""Values of which fewer have no center."""
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
        tolerance: Share of a value's distance from the center, and of its component's usual size,
            by which it may differ: batches of other shapes are summed in another order.
        sizes: Usual size of each component of each output, over rows and positions: the median
            distance from the center of its values that are not there.
        least: Smaller components count as of this size, or as ``MOST_SIZES`` times their own where
            that is less: they may be what is left of larger numbers that cancel.
        roundings: What rounding may move each component of each output by, however small it is; of
            outputs without, by ``ROUNDING``.
        centers: Where the values of each component lie: far from 0 beside their distances from
            each other, as times in seconds do, or 0. Of the center a tenth of the tolerance counts.
    """

    tolerance: float
    sizes: Sequence[Array]
    least: float = LEAST_SIZE
    roundings: Sequence[Array] = ()
    centers: Sequence[Array] = ()

    @classmethod
    def of(
        cls, answers: Sequence[Answer], outputs: Sequence[Output], tolerance: float
    ) -> Yardstick:
        """Take the measure of some answers."""
        found = [
            _few([components(answer[place], output) for answer in answers])
            for place, output in enumerate(outputs)
        ]
        centers = [np.array([_center(column) for column in values.T]) for values in found]
        sizes = [
            _usual_sizes(values - center) for values, center in zip(found, centers, strict=True)
        ]
        return cls(tolerance, sizes, centers=centers)

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
                a, b = a.astype(np.float64), b.astype(np.float64)
                same = _close(a, b, allowed + self.tolerance * self._counted(place, b))
                if slack is not None and slack.is_infinite:
                    same |= np.isnan(a) | np.isnan(b)
            else:
                same = np.equal(a, b)
            if not same.all():
                where = tuple(np.argwhere(~same)[0])
                return output.name, *_told(a[where], b[where])
        return None

    def has_small(self) -> bool:
        """Return whether a component is so small that its roundings count."""
        return any((MOST_SIZES * sizes < self.least).any() for sizes in self.sizes)

    def _counted(self, place: int, values: Array) -> Array:
        """Return what counts of the values of an output."""
        if not self.centers:
            return np.abs(values)
        center = self.centers[place]
        counted: Array = np.abs(values - center) + _CENTRAL * np.abs(center)
        return counted

    def _allowed(self, place: int, slack: Slack | None) -> Array:
        """Return how far the components of an output may be apart, whatever their values."""
        sizes = self.sizes[place]
        allowed: Array = self.tolerance * np.maximum(sizes, self.least)
        if slack is not None:
            return allowed + slack.moves[place]
        least = self.roundings[place] if self.roundings else ROUNDING
        bounded: Array = np.minimum(allowed, np.maximum(self.tolerance * MOST_SIZES * sizes, least))
        return bounded


def _close(a: Array, b: Array, allowed: Array) -> Array:
    """Return where numbers are as good as the same."""
    with np.errstate(invalid="ignore"):
        near = np.isfinite(b) & (np.abs(a - b) <= allowed)
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


def _told(one: Any, other: Any) -> tuple[str, str]:
    """Return two numbers with as many digits as show that they differ."""
    texts = f"{one:.6g}", f"{other:.6g}"
    return texts if texts[0] != texts[1] else (f"{one:.17g}", f"{other:.17g}")


def _few(values: Sequence[Array]) -> Array:
    """Return answers as (positions, components), some positions of long ones."""
    few = [value[:: -(-len(value) // _MOST_PLACES) or 1] for value in values]
    found: Array = np.concatenate(few).astype(np.float64)
    return found


def _center(values: Array) -> float:
    known = values[np.isfinite(values)]
    if len(np.unique(known)) < _LEAST_VALUES:
        return 0.0
    middle = float(np.median(known))
    is_far = abs(middle) > _FAR * float(np.median(np.abs(known - middle)))
    return middle if is_far else 0.0


def _usual_sizes(values: Array) -> Array:
    sizes = np.abs(values)
    counts = np.isfinite(sizes) & (sizes > 0)
    return np.array(
        [
            np.median(column[counted]) if counted.any() else 1.0
            for column, counted in zip(sizes.T, counts.T, strict=True)
        ]
    )
