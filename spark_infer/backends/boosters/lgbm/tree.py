"""One tree of LightGBM's text."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from spark_infer.backends.boosters import arrays
from spark_infer.backends.boosters.arrays import Floats, Ints

NEEDED = (
    "num_leaves",
    "num_cat",
    "split_feature",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_value",
    "cat_boundaries",
    "cat_threshold",
    "is_linear",
    "leaf_const",
    "num_features",
    "leaf_features",
    "leaf_coeff",
    "shrinkage",
)
"""What predictions need of a tree, in LightGBM's order."""

_REPORTED = (
    "split_gain",
    "leaf_weight",
    "leaf_count",
    "internal_value",
    "internal_weight",
    "internal_count",
)
_MOST = 2**31 - 1
_CATEGORICAL = 1
_LEAST = float(np.finfo(np.float64).tiny)
"""The least number of full precision."""
_ZERO = re.compile(r"-?0+(\.0+)?([eE].*)?")
_INFINITE = re.compile("-?inf")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def check_tree(
    pairs: Mapping[str, str], what: str, count: int, splits: dict[int, list[Floats]]
) -> None:
    """Check the lines of a tree, and gather where it splits.

    Raises:
        ValueError: An index leads nowhere, or a count is another than that of the numbers.
    """
    for key in pairs:
        if key not in NEEDED and key not in _REPORTED:
            raise ValueError(f"{what}: {key[:40]!r} is unknown")
    (leaves,) = _ints(pairs, "num_leaves", what, 1, 1, _MOST)
    (cats,) = _ints(pairs, "num_cat", what, 1, 0, _MOST)
    _floats(pairs, "shrinkage", what, 1)
    nodes = int(leaves) - 1
    _floats(pairs, "leaf_value", what, nodes + 1)
    _check_linear(pairs, what, nodes + 1, count)
    features = _ints(pairs, "split_feature", what, nodes, 0, count - 1)
    thresholds = _thresholds(pairs, what, nodes)
    kinds = _ints(pairs, "decision_type", what, nodes, 0, 11)
    left = _ints(pairs, "left_child", what, nodes, -nodes - 1, nodes - 1)
    right = _ints(pairs, "right_child", what, nodes, -nodes - 1, nodes - 1)
    if nodes:
        # Leaf n is written as -n - 1; here it is node number nodes + n.
        ends = np.arange(nodes, 2 * nodes + 1)
        left, right = (np.where(c < 0, nodes - 1 - c, c) for c in (left, right))
        is_leaf = np.arange(2 * nodes + 1) >= nodes
        reached = arrays.check_tree(
            np.concatenate([left, ends]), np.concatenate([right, ends]), is_leaf, what
        )
        if len(reached) != 2 * nodes + 1:
            raise ValueError(f"{what}: not all of its nodes are reached")
    is_category = (kinds & _CATEGORICAL) > 0
    _check_categories(pairs, what, int(cats), thresholds[is_category])
    for feature in np.unique(features[~is_category]):
        splits.setdefault(int(feature), []).append(thresholds[~is_category & (features == feature)])


def _check_categories(pairs: Mapping[str, str], what: str, cats: int, indices: Floats) -> None:
    if not cats:
        if indices.size or "cat_boundaries" in pairs or "cat_threshold" in pairs:
            raise ValueError(f"{what}: it has categories, and num_cat is 0")
        return
    ends = _ints(pairs, "cat_boundaries", what, cats + 1, 0, _MOST)
    if ends[0] != 0 or (np.diff(ends) < 0).any():
        raise ValueError(f"{what}: cat_boundaries must grow from 0")
    _ints(pairs, "cat_threshold", what, int(ends[-1]), 0, 2**32 - 1)
    if (indices != np.floor(indices)).any() or (indices < 0).any() or (indices >= cats).any():
        raise ValueError(f"{what}: a threshold is no number of a category")


def _check_linear(pairs: Mapping[str, str], what: str, leaves: int, count: int) -> None:
    is_linear = bool(_ints(pairs, "is_linear", what, 1, 0, 1)[0]) if "is_linear" in pairs else False
    if not is_linear:
        if pairs.keys() & {"leaf_const", "num_features", "leaf_features", "leaf_coeff"}:
            raise ValueError(f"{what}: it has linear leaves, and is_linear is 0")
        return
    _check_precise(pairs, "leaf_const", what, leaves)
    numbers = _ints(pairs, "num_features", what, leaves, 0, count)
    _ints(pairs, "leaf_features", what, int(numbers.sum()), 0, count - 1)
    _check_precise(pairs, "leaf_coeff", what, int(numbers.sum()))


def _check_precise(pairs: Mapping[str, str], key: str, what: str, count: int) -> None:
    """Check the numbers of linear leaves, which LightGBM reads in another way than all others."""
    found = _floats(pairs, key, what, count)
    for word, number in zip(_words(pairs, key, what), found, strict=True):
        if abs(number) < _LEAST and not _ZERO.fullmatch(word):
            raise ValueError(f"{what}: {key} holds {word[:40]}, of which LightGBM's process dies")


def _ints(pairs: Mapping[str, str], key: str, what: str, count: int, least: int, most: int) -> Ints:
    words = _words(pairs, key, what)
    if not all(re.fullmatch("-?[0-9]{1,10}", word) for word in words):
        raise ValueError(f"{what}: {key} must be whole numbers")
    return arrays.ints([*map(int, words)], f"{what}, {key}", count, least, most)


def _floats(pairs: Mapping[str, str], key: str, what: str, count: int) -> Floats:
    words = _words(pairs, key, what)
    if not all(map(_NUMBER.fullmatch, words)):
        raise ValueError(f"{what}: {key} must be finite numbers")
    return arrays.floats([*map(float, words)], f"{what}, {key}", count)


def _thresholds(pairs: Mapping[str, str], what: str, count: int) -> Floats:
    """Return the thresholds: one that parts numbers from missing ones is infinite."""
    words = _words(pairs, "threshold", what)
    infinite = [_INFINITE.fullmatch(word) is not None for word in words]
    numbers = [
        "0" if is_infinite else word for word, is_infinite in zip(words, infinite, strict=True)
    ]
    found = _floats({"threshold": " ".join(numbers)}, "threshold", what, count)
    found[infinite] = [float(word) for word, is_one in zip(words, infinite, strict=True) if is_one]
    return found


def _words(pairs: Mapping[str, str], key: str, what: str) -> list[str]:
    if key not in pairs:
        raise ValueError(f"{what}: {key} is missing")
    return [word for word in pairs[key].split(" ") if word]
