"""Trees within a graph, checked before ONNX Runtime follows their indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from spark_infer.errors import BundleError

MAX_DEPTH = 10_000
"""ONNX Runtime goes down a tree by recursion, and a chain of 30,000 nodes ends its process."""

_MOST = 2**31 - 1
_OPERATORS = frozenset({"TreeEnsemble", "TreeEnsembleRegressor", "TreeEnsembleClassifier"})

Ints = npt.NDArray[np.int64]


def check_trees(node: NodeProto) -> None:
    """Check the trees of a node, if it has some.

    Raises:
        BundleError: An index leads nowhere or in a circle, or a tree is too deep.
    """
    if node.domain != "ai.onnx.ml" or node.op_type not in _OPERATORS:
        return
    given = {
        attribute.name: helper.get_attribute_value(attribute)
        for attribute in node.attribute
        if attribute.name.startswith(("nodes_", "target_", "class", "leaf_", "tree_", "n_targets"))
        and not attribute.HasField("t")
    }
    if node.op_type == "TreeEnsemble":
        left, right = _children_by_place(node, given)
    else:
        left, right = _children_by_id(node, given)
    _check_depth(node, left, right)


def _children_by_place(node: NodeProto, given: dict[str, Any]) -> tuple[Ints, Ints]:
    """Return the children of each node, -1 for a leaf, of an operator that says their places."""
    count = len(given.get("nodes_featureids", ()))
    leaves = len(given.get("leaf_targetids", ()))
    _ints(node, given, "tree_roots", None, 0, count - 1)
    _ints(node, given, "nodes_featureids", count, 0, _MOST)
    _ints(node, given, "leaf_targetids", leaves, 0, int(given.get("n_targets", 1)) - 1)
    sides = []
    for side in ("true", "false"):
        ids = _ints(node, given, f"nodes_{side}nodeids", count, 0, _MOST)
        is_leaf = _ints(node, given, f"nodes_{side}leafs", count, 0, 1) == 1
        if (ids >= np.where(is_leaf, leaves, count)).any():
            raise _damaged(node, f"nodes_{side}nodeids leads to a node that is not there")
        sides.append(np.where(is_leaf, -1, ids))
    return sides[0], sides[1]


def _children_by_id(node: NodeProto, given: dict[str, Any]) -> tuple[Ints, Ints]:
    """Return the children of each node, -1 for a leaf, of an operator that says their numbers."""
    modes = np.array([bytes(mode) for mode in given.get("nodes_modes", ())], dtype=object)
    count = len(modes)
    is_leaf = np.array(modes == b"LEAF", np.bool_)
    _ints(node, given, "nodes_featureids", count, 0, _MOST)
    trees = _ints(node, given, "nodes_treeids", count, 0, _MOST) << 31
    keys = trees | _ints(node, given, "nodes_nodeids", count, 0, _MOST)
    order = np.argsort(keys, kind="stable")
    known = keys[order]
    if (known[1:] == known[:-1]).any():
        raise _damaged(node, "two nodes of a tree have one number")

    def places(wanted: Ints, what: str) -> Ints:
        at = np.minimum(np.searchsorted(known, wanted), max(count - 1, 0))
        if wanted.size and (not count or (known[at] != wanted).any()):
            raise _damaged(node, f"{what} leads to a node that is not there")
        found: Ints = order[at]
        return found

    sides = []
    for side in ("true", "false"):
        ids = _ints(node, given, f"nodes_{side}nodeids", count, 0, _MOST)
        children = np.full(count, -1)
        inner = ~is_leaf
        children[inner] = places((trees | ids)[inner], f"nodes_{side}nodeids")
        sides.append(children)
    kind = "class" if node.op_type == "TreeEnsembleClassifier" else "target"
    labels = given.get("classlabels_strings") or given.get("classlabels_int64s") or ()
    number = len(labels) if kind == "class" else int(given.get("n_targets", 1))
    if kind == "class" and number < 2:
        raise BundleError(
            f"the {node.op_type} in the ONNX model knows fewer than two classes, of which ONNX "
            "Runtime's process dies; train the model on rows of two classes or more"
        )
    ids = _ints(node, given, f"{kind}_ids", None, 0, number - 1)
    leaf_trees = _ints(node, given, f"{kind}_treeids", len(ids), 0, _MOST) << 31
    leaf_nodes = _ints(node, given, f"{kind}_nodeids", len(ids), 0, _MOST)
    places(leaf_trees | leaf_nodes, f"{kind}_nodeids")
    return sides[0], sides[1]


def _ints(
    node: NodeProto, given: dict[str, Any], name: str, count: int | None, least: int, most: int
) -> Ints:
    values = given.get(name, [])
    try:
        found = np.array(values, np.int64)
    except (TypeError, ValueError):
        raise _damaged(node, f"{name} must be whole numbers") from None
    if found.ndim != 1 or (count is not None and len(found) != count):
        raise _damaged(node, f"{name} has {found.size} numbers, and {count} are expected")
    if found.size and (found.min() < least or found.max() > most):
        wrong = found[(found < least) | (found > most)][0]
        raise _damaged(node, f"{name} holds {wrong}, and {least} to {most} are allowed")
    return found


def _check_depth(node: NodeProto, left: Ints, right: Ints) -> None:
    """Take away nodes that have no parent until none is left, and count how often."""
    parents = np.zeros(len(left), np.int64)
    for side in (left, right):
        np.add.at(parents, side[side >= 0], 1)
    level = np.flatnonzero(parents == 0)
    depth = done = 0
    while level.size:
        depth, done = depth + 1, done + len(level)
        if depth > MAX_DEPTH:
            raise BundleError(
                f"the ONNX model has a tree of more than {MAX_DEPTH:,} levels in its "
                f"{node.op_type}, which ONNX Runtime cannot go down; train it with a maximum depth"
            )
        children = np.concatenate([left[level], right[level]])
        children = children[children >= 0]
        np.subtract.at(parents, children, 1)
        level = np.unique(children[parents[children] == 0])
    if done < len(left):
        raise _damaged(node, "its nodes lead in a circle")


def _damaged(node: NodeProto, reason: str) -> BundleError:
    return BundleError(
        f"the trees of {node.op_type} in the ONNX model are damaged: {reason}; export it again"
    )
