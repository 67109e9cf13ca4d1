"""Trees as arrays: checks that no library makes for itself before it follows an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAX_FEATURES = 2**20
MAX_CLASSES = 2**16
MAX_DEPTH = 10_000
"""Libraries go down a tree by recursion, and one of 300,000 levels ends the process."""


def ints(value: object, what: str, count: int | None, least: int, most: int) -> Ints:
    """Return a list of whole numbers as an array.

    Args:
        value: The list.
        what: Its name, for the message.
        count: How many there must be; None for any number.
        least: The least of them.
        most: The greatest of them.

    Raises:
        ValueError: It is no such list.
    """
    array = _array(value, what, count, "iu")
    if array.size and (array.min() < least or array.max() > most):
        wrong = array[(array < least) | (array > most)][0]
        raise ValueError(f"{what} holds {wrong}, and {least} to {most} are allowed")
    return array.astype(np.int64)


def floats(value: object, what: str, count: int | None) -> Floats:
    """Return a list of finite numbers as an array.

    Raises:
        ValueError: It is none, or not of ``count`` numbers.
    """
    array = _array(value, what, count, "iuf").astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds a number that is not finite")
    return array


def _array(value: object, what: str, count: int | None, kinds: str) -> npt.NDArray[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list")
    if not value:
        array: npt.NDArray[Any] = np.zeros(0, np.int64)
    else:
        try:
            array = np.array(value)
        except (ValueError, OverflowError):
            array = np.array(None)
    if array.ndim != 1 or array.dtype.kind not in kinds:
        raise ValueError(f"{what} must be a list of numbers")
    if count is not None and len(array) != count:
        raise ValueError(f"{what} has {len(array)} numbers, and {count} are expected")
    return array


def check_tree(left: Ints, right: Ints, is_leaf: npt.NDArray[np.bool_], what: str) -> Ints:
    """Return the nodes of a tree that are reached from node 0.

    Args:
        left: Left child of each node, within range.
        right: Right child of each node, within range.
        is_leaf: Whether a node is a leaf, whose children do not matter.
        what: Name of the tree, for the message.

    Raises:
        ValueError: A node is reached twice, as in a circle, or the tree is too deep.
    """
    seen = np.zeros(len(left), np.bool_)
    level = np.zeros(1, np.int64)
    depth = 0
    while level.size:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(
                f"{what} has more than {MAX_DEPTH:,} levels; train it with a maximum depth"
            )
        if seen[level].any() or len(np.unique(level)) != len(level):
            raise ValueError(f"{what}: its nodes are no tree")
        seen[level] = True
        inner = level[~is_leaf[level]]
        level = np.concatenate([left[inner], right[inner]])
    return np.flatnonzero(seen)


def keys(data: object, what: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> Any:
    """Return an object that has some keys, and no others than these and those allowed.

    Raises:
        ValueError: It is no object, or has other keys.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{what} must be an object")
    for key in needed:
        if key not in data:
            raise ValueError(f"{what}: {key!r} is missing")
    for key in data:
        if key not in needed and key not in allowed:
            raise ValueError(f"{what}: {key!r} is unknown")
    return data
