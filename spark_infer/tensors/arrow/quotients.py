"""Whole numbers divided by powers of ten: decimals, and timestamps as seconds.

Each result is the nearest float to the exact quotient. Arrow's own cast of decimals is not: it is
one unit of the last place off in a third of all values with six digits behind the point.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.intp]
Exact = Callable[[Positions], list[Fraction]]
"""The exact numbers at some positions."""

_EXACT = 2**53
"""Integers up to here are doubles."""
_EXACT_POWER = 22
"""Powers of ten up to this exponent are doubles."""
_INT64_POWER = 18
"""Powers of ten up to this exponent are of 64 bits."""


def seconds(ticks: Integers, power: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return ``ticks / 10**power`` as the nearest floats of a type."""

    def exact(rows: Positions) -> list[Fraction]:
        return [Fraction(tick, 10**power) for tick in ticks[rows].tolist()]

    values, unsure = _divided(ticks, power)
    if len(unsure):
        values[unsure] = [float(number) for number in exact(unsure)]
    return _narrowed(values, dtype, exact)


def decimals(column: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the nearest floats of a type to a column of decimals; undefined at nulls."""

    def exact(rows: Positions) -> list[Fraction]:
        return [Fraction(number or 0) for number in column.take(pa.array(rows)).to_pylist()]

    units, fits = _units(column)
    values, unsure = _divided(units, column.type.scale)
    if not fits.all():
        unsure = np.union1d(unsure, np.flatnonzero(~fits))
    if len(unsure):
        # Arrow reads texts to the nearest float.
        texts = column.take(pa.array(unsure)).cast(pa.string())
        values[unsure] = texts.cast(pa.float64()).fill_null(0.0).to_numpy()
    return _narrowed(values, dtype, exact)


def _divided(units: Integers, power: int) -> tuple[Floats, Positions]:
    """Return quotients, and the positions of those that may not be the nearest."""
    # Both operands are exact, so one rounded operation gives the nearest double.
    exact = (units >= -_EXACT) & (units <= _EXACT)
    if power > _EXACT_POWER or power < -_EXACT_POWER:
        return np.zeros(len(units)), np.arange(len(units))
    values: Floats = np.asarray(units, np.float64)
    values = values / 10.0**power if power >= 0 else values * 10.0**-power
    if exact.all():
        return values, np.zeros(0, np.intp)
    rows = np.flatnonzero(~exact)
    if not 0 < power <= _INT64_POWER:
        return values, rows
    # Whole and rest separately. Their sum is the nearest, unless the rest's own rounding error
    # could have carried it over the middle between two doubles.
    whole, rest = np.divmod(units[rows], 10**power)
    fraction = rest / 10.0**power
    total = whole + fraction
    error = fraction - (total - whole)
    half = np.spacing(np.abs(total)) / 2
    clear = (np.abs(np.abs(error) - half) > 2.0**-52) & (np.abs(whole) <= _EXACT)
    values[rows] = total
    return values, rows[~clear]


def _narrowed(values: Floats, dtype: np.dtype[Any], exact: Exact) -> npt.NDArray[Any]:
    """Round doubles to a narrower type as if their exact numbers had been rounded to it."""
    with np.errstate(all="ignore"):
        narrow = values.astype(dtype, copy=False)
    if dtype != np.float32:
        return narrow
    # Only a double in the middle between two floats has lost which side it came from.
    near = narrow.astype(np.float64)
    off = values - near
    other = np.nextafter(narrow, np.where(off > 0, np.inf, -np.inf).astype(dtype))
    middle = np.flatnonzero((off != 0) & (other.astype(np.float64) - values == off))
    if len(middle):
        numbers = zip(exact(middle), values[middle].tolist(), strict=True)
        side = np.array([(number > value) - (number < value) for number, value in numbers])
        nudged = np.nextafter(values[middle], np.where(side > 0, np.inf, -np.inf))
        narrow[middle] = np.where(side == 0, values[middle], nudged).astype(dtype)
    return narrow


def _units(column: pa.Array) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Return the decimals' unscaled integers, and which of them 64 bits hold."""
    width = column.type.bit_width // 8
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros(len(column), np.int64), np.ones(len(column), np.bool_)
    memory = buffer[column.offset * width : (column.offset + len(column)) * width]
    if width < 8:
        narrow = np.frombuffer(memory, np.int32).astype(np.int64)
        return narrow, np.ones(len(narrow), np.bool_)
    words = np.frombuffer(memory, np.int64).reshape(len(column), width // 8)
    low = words[:, 0].copy()
    return low, (words[:, 1:] == (low >> 63)[:, None]).all(axis=1)
