"""XGBoost's JSON document, checked before XGBoost reads it.

XGBoost follows the indices that a document holds. Each is within its range here, so that a
document that was damaged or made for it leads nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spark_infer.backends.boosters.arrays import (
    MAX_CLASSES,
    MAX_FEATURES,
    Floats,
    Ints,
    check_tree,
    floats,
    ints,
    keys,
)
from spark_infer.bundle.documents import parse

_ROOT = 2**31 - 1
_MAX_CATEGORY = 2**24
_OBJECTIVE = re.compile("[a-z]+:[a-z0-9_]+")
_NO_CATEGORIES: dict[str, list[Any]] = {"enc": [], "feature_segments": [], "sorted_idx": []}
_IN_JSON = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]\s*\}\s*\Z')
_IN_UBJSON = re.compile(rb"version\[#L\0{7}\x03i(.)i(.)i(.)\}\Z", re.S)
_NODES = ("base_weights", "loss_changes", "sum_hessian")
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


@dataclass(frozen=True)
class Document:
    """A checked document.

    Attributes:
        data: Its JSON data.
        version: Version of XGBoost that wrote it.
        objective: Name of the objective.
        booster: ``gbtree``, ``dart`` or ``gblinear``.
        num_features: How many features there are.
        names: Their names, or none.
        width: Numbers that it predicts for each row.
        splits: Numbers at which trees split, by feature.
    """

    data: Mapping[str, Any]
    version: tuple[int, int, int]
    objective: str
    booster: str
    num_features: int
    names: tuple[str, ...]
    width: int
    splits: Mapping[int, Floats]

    def to_bytes(self) -> bytes:
        """Return the document as it is stored, and given to XGBoost."""
        return json.dumps(self.data, separators=(",", ":"), allow_nan=False).encode()


def written_by(content: bytes) -> tuple[int, int, int] | None:
    """Return the version of XGBoost that wrote a file of JSON or UBJSON; None if it does not say.

    XGBoost itself reads a file of a later version without a word.
    """
    found = _IN_JSON.search(content) or _IN_UBJSON.search(content)
    if found is None:
        return None
    is_text = found.re is _IN_JSON
    major, minor, patch = (int(part) if is_text else part[0] for part in found.groups())
    return major, minor, patch


def stored(text: bytes) -> Document:
    """Return the document that a bundle stores of one that XGBoost wrote.

    It holds nothing that predictions do not need: no attributes, no values of categories. A
    booster that would answer with the likeliest class answers with probabilities.

    Raises:
        ValueError: It is none that can be stored.
    """
    data = parse(text)
    learner = data["learner"]
    learner["attributes"] = {}
    booster = learner["gradient_booster"]
    model = booster.get("gbtree", booster)["model"]
    if "cats" in model:
        model["cats"] = _NO_CATEGORIES
    if learner["objective"]["name"] == "multi:softmax":
        learner["objective"]["name"] = "multi:softprob"
    return _checked(data)


def read(text: bytes) -> Document:
    """Return a document that a bundle holds.

    Raises:
        ValueError: It is not as ``stored`` wrote it, or damaged.
    """
    return _checked(parse(text))


def _checked(data: Any) -> Document:
    keys(data, "the document", ("learner", "version"))
    version = ints(data["version"], "version", 3, 0, 10_000)
    learner = keys(
        data["learner"],
        "learner",
        ("gradient_booster", "learner_model_param", "objective"),
        ("attributes", "feature_names", "feature_types"),
    )
    if learner.get("attributes"):
        raise ValueError("learner: attributes must be empty")
    keys(
        learner["learner_model_param"],
        "learner_model_param",
        ("base_score", "num_class", "num_feature"),
        ("num_target", "boost_from_average"),
    )
    count = _count(learner["learner_model_param"], "num_feature", 1, MAX_FEATURES)
    classes = _count(learner["learner_model_param"], "num_class", 0, MAX_CLASSES)
    targets = _count(learner["learner_model_param"], "num_target", 1, MAX_CLASSES)
    if classes > 1 and targets > 1:
        raise ValueError("learner_model_param: there are classes and targets")
    width = max(classes, targets, 1)
    _check_base_score(learner["learner_model_param"]["base_score"], width)
    _names(learner, "feature_types", count)
    splits: dict[int, list[Floats]] = {}
    booster = learner["gradient_booster"]
    name = booster.get("name") if isinstance(booster, dict) else None
    if name == "gblinear":
        keys(booster, "gradient_booster", ("name", "model"))
        model = keys(booster["model"], "model", ("weights",), ("boosted_rounds",))
        floats(model["weights"], "weights", (count + 1) * width)
        if type(model.get("boosted_rounds", 0)) is not int:
            raise ValueError("model: boosted_rounds must be a whole number")
    elif name == "gbtree":
        _check_trees(booster, count, width, splits)
    elif name == "dart":
        keys(booster, "gradient_booster", ("name", "gbtree", "weight_drop"))
        trees = keys(booster["gbtree"], "gbtree", ("model",), ("name",))
        number = _check_trees({"name": "gbtree", **trees}, count, width, splits)
        floats(booster["weight_drop"], "weight_drop", number)
    else:
        raise ValueError("gradient_booster: its name must be gbtree, dart or gblinear")
    return Document(
        data,
        (int(version[0]), int(version[1]), int(version[2])),
        _objective(learner["objective"], classes),
        name,
        count,
        tuple(_names(learner, "feature_names", count)),
        width,
        {feature: np.unique(np.concatenate(found)) for feature, found in splits.items()},
    )


def _objective(data: Any, classes: int) -> str:
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or not _OBJECTIVE.fullmatch(name):
        raise ValueError("objective: its name must be one of XGBoost's")
    if (name == "multi:softprob") != (classes > 1):
        raise ValueError(f"objective: {name} does not go with num_class {classes}")
    for key, value in data.items():
        if key != "name" and not _is_parameters(value):
            raise ValueError(f"objective: {key} must be parameters")
    multi = data.get("softmax_multiclass_param", {})
    if name == "multi:softprob" and multi.get("num_class") != str(classes):
        raise ValueError("objective: its num_class is another than the model's")
    return name


def _is_parameters(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _names(learner: Mapping[str, Any], key: str, count: int) -> list[str]:
    names = learner.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key} must be a list of text")
    if names and len(names) != count:
        raise ValueError(f"{key} has {len(names)} entries, and there are {count} features")
    return names


def _count(data: Mapping[str, Any], key: str, least: int, most: int) -> int:
    text = data.get(key, "1")
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"{key} must be a number in quotes")
    if not least <= int(text) <= most:
        raise ValueError(f"{key} must be from {least} to {most}, and is {text}")
    return int(text)


def _check_base_score(text: object, width: int) -> None:
    number = r"-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?"
    if not isinstance(text, str) or not re.fullmatch(rf"\[?{number}(,{number})*\]?", text):
        raise ValueError("base_score must be numbers in quotes")
    found = text.strip("[]").split(",")
    if len(found) not in (1, width) or not np.isfinite([float(part) for part in found]).all():
        raise ValueError(f"base_score must be {width} finite numbers")


def _check_trees(booster: Any, count: int, width: int, splits: dict[int, list[Floats]]) -> int:
    """Check the trees, gather where they split, and return how many there are."""
    keys(booster, "gradient_booster", ("name", "model"))
    model = keys(
        booster["model"],
        "model",
        ("gbtree_model_param", "tree_info", "trees"),
        ("cats", "iteration_indptr"),
    )
    if model.get("cats", _NO_CATEGORIES) != _NO_CATEGORIES:
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
    if _count(param, "num_trees", 0, _ROOT) != number:
        raise ValueError(f"num_trees is {param['num_trees']}, and there are {number}")
    _count(param, "num_parallel_tree", 1, _ROOT)
    ints(model["tree_info"], "tree_info", number, 0, width - 1)
    if "iteration_indptr" in model:
        ends = ints(model["iteration_indptr"], "iteration_indptr", None, 0, number)
        if not len(ends) or ends[0] != 0 or ends[-1] != number or (np.diff(ends) < 0).any():
            raise ValueError("iteration_indptr does not cover the trees")
    for place, tree in enumerate(trees):
        _check_tree(tree, f"tree {place}", place, count, splits)
    return number


def _check_tree(
    tree: Any, what: str, place: int, count: int, splits: dict[int, list[Floats]]
) -> None:
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
    nodes = _count(param, "num_nodes", 1, _ROOT)
    _count(param, "num_deleted", 0, nodes)
    if _count(param, "num_feature", 0, count) != count:
        raise ValueError(f"{what}: num_feature must be {count}")
    if _count(param, "size_leaf_vector", 0, _ROOT) > 1:
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
    _check_categories(tree, what, kinds)
    numeric = inner[kinds[inner] == 0]
    for feature in np.unique(features[numeric]):
        found = conditions[numeric[features[numeric] == feature]]
        splits.setdefault(int(feature), []).append(found)


def _check_categories(tree: Any, what: str, kinds: Ints) -> None:
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
