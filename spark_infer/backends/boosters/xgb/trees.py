"""The trees of XGBoost's JSON document, checked before XGBoost follows their indices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from spark_infer.backends.boosters.arrays import Floats, Ints, check_tree, floats, ints, keys

NO_CATEGORIES: dict[str, list[Any]] = {"enc": [], "feature_segments": [], "sorted_idx": []}

_ROOT = 2**31 - 1
_MAX_CATEGORY = 2**24
MAX_BITS = 2**32
"""Most bits in the sets of all nodes that ask for a category: XGBoost makes one for each node, up
to its greatest category, however few are in it."""

_NODES = ("base_weights", "loss_changes", "sum_hessian")
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def check_trees(booster: Any, count: int, width: int, splits: dict[int, list[Floats]]) -> int:
    """Check the trees, gather where they split, and return how many there are."""
    keys(booster, "gradient_booster", ("name", "model"))
    model = keys(
        booster["model"],
        "model",
        ("gbtree_model_param", "tree_info", "trees"),
        ("cats", "iteration_indptr"),
    )
    if model.get("cats", NO_CATEGORIES) != NO_CATEGORIES:
        raise ValueError("model: cats must be empty")
    trees = model["trees"]
    if not isinstance(trees, list):
        raise ValueError("model: trees must be a list")
    number = len(trees)
    param = keys(
        model["gbtree_model_param"],
        "gbtree_model_param",
        ("num_trees", "num_parallel_tree"),
        ("size_leaf_vector",),
    )
    if count_of(param, "num_trees", 0, _ROOT) != number:
        raise ValueError(f"num_trees is {param['num_trees']}, and there are {number}")
    count_of(param, "num_parallel_tree", 1, _ROOT)
    ints(model["tree_info"], "tree_info", number, 0, width - 1)
    if "iteration_indptr" in model:
        ends = ints(model["iteration_indptr"], "iteration_indptr", None, 0, number)
        if not len(ends) or ends[0] != 0 or ends[-1] != number or (np.diff(ends) < 0).any():
            raise ValueError("iteration_indptr does not cover the trees")
    bits = 0
    for place, tree in enumerate(trees):
        bits += _check_tree(tree, f"tree {place}", place, count, splits)
        if bits > MAX_BITS:
            raise ValueError(f"the categories of its nodes take more than {MAX_BITS:,} bits")
    return number


def _check_tree(
    tree: Any, what: str, place: int, count: int, splits: dict[int, list[Floats]]
) -> int:
    """Check a tree, gather where it splits, and return how many bits its categories take."""
    if isinstance(tree, dict) and "leaf_weights" in tree:
        raise ValueError(f"{what} has several numbers in each leaf")
    lists = ("left_children", "right_children", "parents", "split_indices", "split_conditions")
    keys(
        tree,
        what,
        (*lists, *_NODES, *_CATEGORIES, "default_left", "split_type", "id", "tree_param"),
    )
    param = keys(
        tree["tree_param"],
        f"{what}, tree_param",
        ("num_nodes", "num_feature"),
        ("num_deleted", "size_leaf_vector"),
    )
    if type(tree["id"]) is not int or tree["id"] != place:
        raise ValueError(f"{what}: id must be {place}")
    nodes = count_of(param, "num_nodes", 1, _ROOT)
    count_of(param, "num_deleted", 0, nodes)
    if count_of(param, "num_feature", 0, count) != count:
        raise ValueError(f"{what}: num_feature must be {count}")
    if count_of(param, "size_leaf_vector", 0, _ROOT) > 1:
        raise ValueError(f"{what} has several numbers in each leaf")
    left = ints(tree["left_children"], f"{what}, left_children", nodes, -1, nodes - 1)
    right = ints(tree["right_children"], f"{what}, right_children", nodes, -1, nodes - 1)
    parents = ints(tree["parents"], f"{what}, parents", nodes, -1, _ROOT)
    features = ints(tree["split_indices"], f"{what}, split_indices", nodes, 0, count - 1)
    ints(tree["default_left"], f"{what}, default_left", nodes, 0, 1)
    kinds = ints(tree["split_type"], f"{what}, split_type", nodes, 0, 1)
    conditions = floats(tree["split_conditions"], f"{what}, split_conditions", nodes)
    for name in _NODES:
        floats(tree[name], f"{what}, {name}", nodes)
    is_leaf = left == -1
    if (is_leaf != (right == -1)).any():
        raise ValueError(f"{what}: a node has one child")
    reached = check_tree(left, right, is_leaf, what)
    inner = reached[~is_leaf[reached]]
    if (parents[left[inner]] != inner).any() or (parents[right[inner]] != inner).any():
        raise ValueError(f"{what}: parents are not those of the children")
    if parents[0] not in (_ROOT, -1):
        raise ValueError(f"{what}: node 0 has a parent")
    bits = _check_categories(tree, what, kinds)
    numeric = inner[kinds[inner] == 0]
    for feature in np.unique(features[numeric]):
        found = conditions[numeric[features[numeric] == feature]]
        splits.setdefault(int(feature), []).append(found)
    return bits


def _check_categories(tree: Any, what: str, kinds: Ints) -> int:
    marked = np.flatnonzero(kinds == 1)
    nodes = ints(tree["categories_nodes"], f"{what}, categories_nodes", None, 0, len(kinds) - 1)
    if not np.array_equal(nodes, marked):
        raise ValueError(f"{what}: categories_nodes are not those of split_type")
    values = ints(tree["categories"], f"{what}, categories", None, 0, _MAX_CATEGORY)
    total = len(values)
    starts = ints(tree["categories_segments"], f"{what}, categories_segments", len(nodes), 0, total)
    sizes = ints(tree["categories_sizes"], f"{what}, categories_sizes", len(nodes), 0, total)
    if (starts + sizes > total).any():
        raise ValueError(f"{what}: categories end before their segments")
    if sizes.sum() > total:
        raise ValueError(f"{what}: categories are in several segments")
    return sum(
        int(values[start : start + size].max()) + 1
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
        if size
    )


def count_of(data: Mapping[str, Any], key: str, least: int, most: int) -> int:
    """Return a number that a document holds as text, 1 where it is left out.

    Raises:
        ValueError: It is none, or not from ``least`` to ``most``.
    """
    text = data.get(key, "1")
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"{key} must be a number in quotes")
    if not least <= int(text) <= most:
        raise ValueError(f"{key} must be from {least} to {most}, and is {text}")
    return int(text)
