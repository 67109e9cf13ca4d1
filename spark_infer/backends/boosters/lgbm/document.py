"""LightGBM's text of a model, checked before LightGBM reads it.

LightGBM follows the counts and indices that a text holds. Each is within its range here, and the
text is written anew of what was checked, so that one that was damaged or made for it leads nowhere
else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from spark_infer.backends.boosters.arrays import MAX_CLASSES, MAX_FEATURES, Floats
from spark_infer.backends.boosters.lgbm.tree import NEEDED, check_tree

NEWEST = 4
"""The newest version of the text that is known here: that of LightGBM 4."""

_END = "end of trees"
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_OBJECTIVE = re.compile(rf"[a-z0-9_]+(?: [a-z_]+(?::{_NUMBER})?)*")
_INFO = re.compile(rf"none|\[(?:{_NUMBER}|-?inf):(?:{_NUMBER}|-?inf)\]|-?[0-9]+(?::-?[0-9]+)*")
_HEADER = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "average_output",
    "feature_names",
    "monotone_constraints",
    "feature_infos",
)
# LightGBM ends lines and texts at some of them, within what is one line or one name here.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_CLASSES = ("binary", "multiclass", "multiclassova")


@dataclass(frozen=True)
class Document:
    """A checked text.

    Attributes:
        text: What is stored, and given to LightGBM.
        objective: Name of the objective; empty where the library does not know it.
        names: Names of the features.
        width: Numbers that it predicts for each row.
        has_classes: Whether these are probabilities of classes.
        codes: The greatest number of each feature whose numbers were whole ones from 0 in
            training, as those of a category are, by position; -1 of one that never varied.
        splits: Numbers at which trees split, by feature.
    """

    text: str
    objective: str
    names: tuple[str, ...]
    width: int
    has_classes: bool
    codes: Mapping[int, int]
    splits: Mapping[int, Floats]


def version_of(text: str) -> int:
    """Return the version of a text.

    Raises:
        ValueError: It is no text of LightGBM.
    """
    found = re.match(r"tree\nversion=v([0-9]{1,4})\n", text)
    if found is None:
        raise ValueError("it does not begin as a model of LightGBM")
    return int(found[1])


def read(text: str) -> Document:
    """Return what is to be stored, or was stored, of a model.

    Raises:
        ValueError: It is damaged, or no model of LightGBM.
    """
    version_of(text)
    if found := _CONTROL.search(text):
        raise ValueError(f"it has a control character ({found[0]!r}) at {found.start()}")
    head, *blocks = text.partition(f"\n{_END}")[0].split("\nTree=")
    if f"\n{_END}" not in text:
        raise ValueError(f"its end is missing ({_END!r})")
    header = _pairs(head.split("\n")[1:])
    width = _whole(header, "num_class", 1, MAX_CLASSES)
    _whole(header, "num_tree_per_iteration", width, width)
    count = _whole(header, "max_feature_idx", 0, MAX_FEATURES) + 1
    if not re.fullmatch("-?[0-9]{1,9}", header.get("label_index", "0")):
        raise ValueError("label_index must be a whole number")
    names = tuple(header.get("feature_names", "").split(" "))
    infos = header.get("feature_infos", "").split(" ")
    if len(names) != count or not all(names) or len(infos) != count:
        raise ValueError(f"feature_names and feature_infos must be those of {count} features")
    if not all(map(_INFO.fullmatch, infos)):
        raise ValueError("feature_infos must be ranges or categories")
    constraints = header.get("monotone_constraints")
    if constraints is not None and not re.fullmatch(
        f"(-1|0|1)( (-1|0|1)){{{count - 1}}}", constraints
    ):
        raise ValueError(f"monotone_constraints must be {count} of -1, 0 and 1")
    objective = _objective(header, width)
    splits: dict[int, list[Floats]] = {}
    trees = [
        _tree(block, number, count=count, splits=splits) for number, block in enumerate(blocks)
    ]
    if len(trees) % width:
        raise ValueError(f"it has {len(trees)} trees, no multiple of {width}")
    split_at = {feature: np.unique(np.concatenate(found)) for feature, found in splits.items()}
    return Document(
        _written(header, trees),
        objective,
        names,
        width,
        objective in _CLASSES,
        _codes(infos, split_at),
        split_at,
    )


def _codes(infos: list[str], splits: Mapping[int, Floats]) -> dict[int, int]:
    """Return the greatest number of each feature that may be a category."""
    found = {}
    for place, info in enumerate(infos):
        if info == "none":
            found[place] = -1
        elif not info.startswith("["):
            numbers = [*map(int, info.split(":"))]
            if min(numbers) >= -1:  # That of a missing value.
                found[place] = max(numbers)
        else:
            least, most = map(float, info[1:-1].split(":"))
            # Trees split whole numbers in the middle of two of them.
            halves = 2 * splits.get(place, np.zeros(0))
            is_whole = least >= 0 and least.is_integer() and most.is_integer()
            if is_whole and np.allclose(halves, np.round(halves), rtol=0, atol=1e-6):
                found[place] = int(most)
    return found


def _objective(header: Mapping[str, str], width: int) -> str:
    text = header.get("objective", "")
    if text and not _OBJECTIVE.fullmatch(text):
        raise ValueError("objective must be a name and its parameters")
    name, *parameters = text.split(" ")
    classes = [p.partition(":")[2] for p in parameters if p.startswith("num_class:")]
    if name.startswith("multiclass"):
        if classes != [str(width)] or width < 2:
            raise ValueError(f"objective must have num_class:{width}")
    elif classes or (width > 1 and name not in ("", "custom", "none")):
        raise ValueError(f"objective {name} does not go with num_class={width}")
    return "" if name in ("custom", "none") else name


def _pairs(lines: list[str]) -> dict[str, str]:
    """Return the lines ``key=value``; one without ``=`` has an empty value."""
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            continue
        key, _, value = line.partition("=")
        if key in found:
            raise ValueError(f"{key[:40]!r} is there twice")
        found[key] = value
    return found


def _whole(pairs: Mapping[str, str], key: str, least: int, most: int) -> int:
    text = pairs.get(key, "")
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise ValueError(f"{key} must be from {least} to {most}, and is {text[:20]!r}")
    return int(text)


def _tree(block: str, number: int, *, count: int, splits: dict[int, list[Floats]]) -> list[str]:
    lines = block.split("\n")
    if lines[0] != str(number):
        raise ValueError(f"tree {number} is missing")
    pairs = _pairs(lines[1:])
    check_tree(pairs, f"tree {number}", count, splits)
    return [f"Tree={number}", *(f"{key}={pairs[key]}" for key in NEEDED if key in pairs)]


def _written(header: Mapping[str, str], trees: list[list[str]]) -> str:
    """Return the text: the header, the size of each tree in bytes, and the trees."""
    blocks = ["\n".join(lines) + "\n\n\n" for lines in trees]
    sizes = " ".join(str(len(block.encode())) for block in blocks)
    return "\n".join([*_head(header), f"tree_sizes={sizes}", "", "".join(blocks) + _END, ""])


def _head(header: Mapping[str, str]) -> Iterator[str]:
    yield "tree"
    for key in header:
        if key not in (*_HEADER, "tree_sizes"):
            raise ValueError(f"{key[:40]!r} is unknown")
    for key in _HEADER:
        if key in header:
            if (key == "average_output") != (not header[key]):
                raise ValueError(f"{key} is damaged")
            yield f"{key}={header[key]}" if header[key] else key
