"""A source column and the rule for its nulls."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from spark_infer.bundle.documents import as_tuple, shown
from spark_infer.errors import SignatureError, nearest

FLOAT_DTYPES = ("float16", "float32", "float64")
INTEGER_DTYPES = ("int8", "int16", "int32", "int64", "uint8")
DTYPES = ("bool", *INTEGER_DTYPES, *FLOAT_DTYPES)

MAX_DIMENSIONS = 30
"""Most dimensions of one row in one tensor: arrays of numpy have 32, with rows and positions."""

MAX_SIZE = 2**31 - 1
"""Most values of one row in one tensor, and most positions: Arrow's lists count in 32 bits."""

NullRule = Literal["reject", "nan", "empty"] | float | int | bool
"""``"reject"`` the row, write NaN, take an empty list (ragged only), or write this number."""


def check_null_rule(rule: object, *, where: str, dtype: str, words: tuple[str, ...]) -> None:
    """Raise SignatureError unless ``rule`` is one of ``words`` or a number that fits ``dtype``."""
    if isinstance(rule, str):
        if rule not in words:
            raise SignatureError(
                f"{where}: null rule {rule!r} is unknown; use one of {list(words)} or a number"
            )
        if rule == "nan" and dtype not in FLOAT_DTYPES:
            raise SignatureError(f"{where}: null rule 'nan' needs a float tensor, not {dtype}")
    elif not isinstance(rule, (bool, int, float)):
        raise SignatureError(f"{where}: null rule must be one of {list(words)} or a number")
    else:
        check_number(rule, where=f"{where}: null value", dtype=dtype)


def check_number(value: object, *, where: str, dtype: str) -> None:
    """Raise SignatureError unless a tensor of ``dtype`` can hold the finite number ``value``."""
    if not _number_fits(value, dtype):
        raise SignatureError(f"{where} {shown(value)} does not fit a tensor of {dtype}")


def _number_fits(value: object, dtype: str) -> bool:
    if isinstance(value, bool) and dtype != "bool":
        return False
    if dtype in FLOAT_DTYPES:
        return isinstance(value, (int, float)) and abs(value) <= float(np.finfo(dtype).max)
    if dtype == "bool":
        return isinstance(value, int) and value in (0, 1)
    info = np.iinfo(dtype)
    return isinstance(value, int) and int(info.min) <= value <= int(info.max)


def check_name(name: object, *, what: str) -> None:
    """Raise SignatureError unless ``name`` is a non-empty string that reads as one line."""
    if not isinstance(name, str) or not name:
        raise SignatureError(f"{what} must have a non-empty name, got {shown(name)}")
    if not name.isprintable():
        raise SignatureError(
            f"{what} must have a name of printable characters on one line, got {shown(name)}; "
            "give it another one"
        )


def check_text(words: Sequence[str], *, where: str) -> None:
    """Raise SignatureError where a text holds half a surrogate pair, which no column of text has.

    Args:
        words: The texts.
        where: What they are, for the message.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise SignatureError(
                f"{where} {shown(word)} is no text: it holds half of a surrogate pair; decode the "
                "words as what they are, such as UTF-8"
            ) from None


_UNNAMED = re.compile("_c[0-9]+")


def instead(name: str, known: Iterable[str]) -> str:
    """Return what may help where a column is missing: ``"; did you mean 'x'?"`` or ``""``."""
    others = list(known)
    if others and all(map(_UNNAMED.fullmatch, others)):
        return (
            f"; the columns are called {', '.join(others[:2])} and so on, as those of CSV files "
            "read without names: set the option header to true, or give the source a schema"
        )
    return nearest(name, others)


def check_shape(given: object, *, where: str, least: int = 0) -> tuple[int, ...]:
    """Return a shape of ``least`` dimensions or more.

    Raises:
        SignatureError: It is no list of positive integers, or a tensor cannot be so large.
    """
    shape = as_tuple(given, where=f"{where}: shape")
    if len(shape) < least or not all(type(n) is int and n > 0 for n in shape):
        raise SignatureError(f"{where}: shape must be positive integers, got {shown([*shape])}")
    if len(shape) > MAX_DIMENSIONS:
        raise SignatureError(
            f"{where}: shape has {len(shape):,} dimensions, more than {MAX_DIMENSIONS}"
        )
    if max(shape, default=1) > MAX_SIZE or math.prod(shape) > MAX_SIZE:
        raise SignatureError(
            f"{where}: shape {shown([*shape])} holds more than {MAX_SIZE:,} values for a row"
        )
    return shape


@dataclass(frozen=True)
class Column:
    """One source column of a scalar input.

    Attributes:
        name: The column's name in the record batch.
        nulls: What a null becomes: ``"reject"`` (the row gets no prediction), ``"nan"``, or a
            number, which for a vocabulary input is an id.
    """

    name: str
    nulls: NullRule = field(default="reject", kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, what="a column")

    @classmethod
    def of(cls, value: Column | str) -> Column:
        """Read a column, or a bare name that takes the default null rule."""
        return value if isinstance(value, Column) else cls(value)
