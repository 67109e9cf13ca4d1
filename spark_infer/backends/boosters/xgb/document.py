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
    floats,
    ints,
    keys,
)
from spark_infer.backends.boosters.xgb.trees import NO_CATEGORIES, check_trees, count_of
from spark_infer.bundle.documents import parse

_OBJECTIVE = re.compile("[a-z]+:[a-z0-9_]+")
_IN_JSON = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]\s*\}\s*\Z')
_IN_UBJSON = re.compile(rb"version\[#L\0{7}\x03i(.)i(.)i(.)\}\Z", re.S)


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
        model["cats"] = NO_CATEGORIES
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
    count = count_of(learner["learner_model_param"], "num_feature", 1, MAX_FEATURES)
    classes = count_of(learner["learner_model_param"], "num_class", 0, MAX_CLASSES)
    targets = count_of(learner["learner_model_param"], "num_target", 1, MAX_CLASSES)
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
        check_trees(booster, count, width, splits)
    elif name == "dart":
        keys(booster, "gradient_booster", ("name", "gbtree", "weight_drop"))
        trees = keys(booster["gbtree"], "gbtree", ("model",), ("name",))
        number = check_trees({"name": "gbtree", **trees}, count, width, splits)
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


def _check_base_score(text: object, width: int) -> None:
    number = r"-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?"
    if not isinstance(text, str) or not re.fullmatch(rf"\[?{number}(,{number})*\]?", text):
        raise ValueError("base_score must be numbers in quotes")
    found = text.strip("[]").split(",")
    if len(found) not in (1, width) or not np.isfinite([float(part) for part in found]).all():
        raise ValueError(f"base_score must be {width} finite numbers")
