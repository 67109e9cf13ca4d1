"""What a trace took for granted of sizes, against what the signature allows.

Where a model's code branches on a size, a trace follows the branch of the sizes that it was traced
with and notes the condition. A stored program keeps no conditions, so each must hold for every
batch.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.printers import PythonPrinter
from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

from spark_infer.errors import BundleError

_MOST_TRIED = 4096
"""Combinations of sizes that are tried one by one."""

Shape = tuple[int, ...]
"""Number of rows of a batch, then its padded length in each ragged input."""


@dataclass(frozen=True)
class Size:
    """A size that differs from batch to batch.

    Attributes:
        words: What it is called in messages.
        least: Its least value.
        most: Its greatest value, None for no limit.
        place: Where it stands in a batch's ``Shape``.
        unit: How many positions it counts as one.
    """

    words: str
    least: int
    most: int | None
    place: int = 0
    unit: int = 1

    def values(self, count: int) -> range:
        """Return its ``count`` least values, or all of them if there are fewer."""
        stop = self.least + count
        return range(self.least, stop if self.most is None else min(stop, self.most + 1))

    def beyond(self, count: int) -> Size | None:
        """Return it without its ``count`` least values, None where it has no others."""
        least = self.least + count
        return None if self.most is not None and self.most < least else replace(self, least=least)


class Guards:
    """Conditions on sizes that a trace took for granted.

    Args:
        sizes: The values of each symbol that the signature allows.
        shown: Shapes of batches for which the stored program is compared with the model.
    """

    def __init__(self, sizes: Mapping[Any, Size], shown: Collection[Shape]) -> None:
        self._sizes = sizes
        self._shown = shown

    def check(self, guard: Any) -> None:
        """Raise BundleError unless a condition holds for all sizes.

        What only fails where a size is 1, torch asks by itself and everywhere: it is enough that
        the program was seen to be right there.
        """
        if _is_implied(guard, self._sizes):
            return
        used = sorted(guard.free_symbols, key=str)
        if not used or any(symbol not in self._sizes for symbol in used):
            raise self._error(guard, "which cannot be shown to hold for every batch")
        sizes = [self._sizes[symbol] for symbol in used]
        count = math.floor(_MOST_TRIED ** (1 / len(used)) + 1e-9)
        fails = [
            values
            for values in itertools.product(*(size.values(count) for size in sizes))
            if guard.xreplace(dict(zip(used, map(sympy.Integer, values), strict=True)))
            != sympy.true
        ]
        if fails and not (_asks_for_one(guard) and self._are_shown(sizes, fails)):
            shown = " and ".join(
                f"{value} as {size.words}" for size, value in zip(sizes, fails[0], strict=True)
            )
            raise self._error(guard, f"and the signature allows {shown}")
        for symbol, size in zip(used, sizes, strict=True):
            rest = size.beyond(count)
            if rest is not None and not _is_implied(guard, {**self._sizes, symbol: rest}):
                raise self._error(
                    guard, "which cannot be shown to hold for every batch of the signature"
                )

    def _are_shown(self, sizes: Sequence[Size], fails: Iterable[Shape]) -> bool:
        shown = {tuple(shape[size.place] for size in sizes) for shape in self._shown}
        units = [size.unit for size in sizes]
        return all(tuple(map(operator.mul, values, units)) in shown for values in fails)

    def _error(self, guard: Any, problem: str) -> BundleError:
        places = {self._sizes[symbol].place for symbol in guard.free_symbols & self._sizes.keys()}
        way_out = (
            "let forward() treat any number of rows alike, or pass row_independent=False to run "
            "rows one by one"
            if 0 in places
            else "save it with format='module', which keeps the Python code, or give the input "
            "pad_to=LENGTH where the model was trained on one length"
        )
        return BundleError(
            f"its code depends on sizes, and the traced program is right only where "
            f"{self._in_words(guard)}, {problem}; {way_out}"
        )

    def _in_words(self, guard: Any) -> str:
        named = guard.xreplace(
            {symbol: sympy.Symbol(size.words, integer=True) for symbol, size in self._sizes.items()}
        )
        try:
            return str(PythonPrinter().doprint(named))
        except Exception:
            # It prints what Python computes exactly, which are no roots for one.
            return str(named)


def _is_implied(guard: Any, sizes: Mapping[Any, Size]) -> bool:
    """Return whether the bounds of the sizes alone show that a condition holds."""
    ranges = {
        symbol: ValueRanges(size.least, int_oo if size.most is None else size.most)
        for symbol, size in sizes.items()
    }
    try:
        bounds = bound_sympy(guard, ranges)
    except Exception:
        # What torch's own arithmetic cannot bound is not shown.
        return False
    return bool(bounds.lower == bounds.upper == sympy.true)


def _asks_for_one(guard: Any) -> bool:
    """Return whether a condition says that something, 1 or more, is not 1."""
    if isinstance(guard, sympy.Ne):
        return sympy.Integer(1) in guard.args
    if isinstance(guard, sympy.StrictGreaterThan | sympy.StrictLessThan):
        return bool(guard.lts == 1)
    return isinstance(guard, sympy.Ge | sympy.Le) and bool(guard.lts == 2)
