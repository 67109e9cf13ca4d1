"""Damaged manifests, by the thousand."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle import Manifest, Output, ScalarInput, Signature
from spark_infer.errors import BundleError, SignatureError
from tests.unit.bundle.test_manifest import MANIFEST

DEEP: Any = []
for _ in range(50):
    DEEP = [DEEP]

VALUES = [
    *(None, True, False, 0, 1, -1, 2, 10**30, 10**400, 0.5, 1.0, -1e300, 2**31, 2**63, 2**64),
    *("", "x", "5", "nan", "\n", "../x", "vocabularies/ids.json", "x" * 5000, "__class__"),
    *([], [None], ["a"], [1], [[]], [True], {}, {"x": 1}, {"name": "x"}, {"kind": "ragged"}, DEEP),
]


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value of a document."""
    if not isinstance(data, (dict, list)):
        return []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return [found for key, value in items for found in [(*path, key), *places(value, (*path, key))]]


def mutated(data: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    copy = json.loads(json.dumps(data))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return copy


def swaps(value: Any) -> Callable[[Any, Any], None]:
    return lambda parent, key: parent.__setitem__(key, value)


def drop(parent: Any, key: Any) -> None:
    del parent[key]


def rename(parent: Any, key: Any) -> None:
    if isinstance(parent, dict):
        parent["new"] = parent.pop(key)
    else:
        parent.append(parent[key])


def repeat_key(text: str, occurrence: int) -> str:
    """Write the line of one key again, before itself."""
    lines = text.split("\n")
    keyed = [index for index, line in enumerate(lines) if re.match(r' *"[^"]*": [^\[{]*$', line)]
    index = keyed[occurrence % len(keyed)]
    return "\n".join([*lines[:index], lines[index].rstrip(",") + ",", *lines[index:]])


def check_read(root: Path, text: str) -> bool:
    """Read a manifest: it is refused with one sentence, or it says what its text says."""
    # What is written over itself is written to the disk at once by some file systems.
    (root / "manifest.json").unlink()
    (root / "manifest.json").write_text(text)
    try:
        manifest = Manifest.read(root)
    except BundleError as error:
        message = str(error)
    else:
        assert manifest.to_json() == json.loads(text)
        return True
    assert len(message) < 1000
    assert message.isprintable()
    return False


def test_every_damaged_manifest_is_refused_with_one_sentence(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    data = json.loads(text)
    assert check_read(tmp_path, text)
    read = {True: 0, False: 0}
    for path in places(data):
        for change in (drop, rename, *map(swaps, VALUES)):
            read[check_read(tmp_path, json.dumps(mutated(data, path, change)))] += 1
    for occurrence in range(60):
        assert not check_read(tmp_path, repeat_key(text, occurrence))
    rnd = random.Random(7)
    for _ in range(2000):
        start = rnd.randrange(len(text))
        new = "".join(rnd.choices('{}[]",:0123456789eE.-+ntfaul\\\n ', k=rnd.randrange(3)))
        read[check_read(tmp_path, text[:start] + new + text[start + rnd.randrange(4) :])] += 1
    assert read[False] > 3000
    assert read[True] > 100  # such as another description


def test_a_name_of_any_length_gives_a_short_message(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    data, long = json.loads(text), "n" * 10**6
    read = {True: 0, False: 0}
    for path in places(data):
        # The names of features and of their columns stand in two places.
        for value in (long, f"{long} ", f"{long}\x1b"):
            read[check_read(tmp_path, json.dumps(mutated(data, path, swaps(value))))] += 1
            new = mutated(
                data, path, lambda parent, key, value=value: rename_to(parent, key, value)
            )
            read[check_read(tmp_path, json.dumps(new))] += 1
    assert min(read.values()) > 10


def rename_to(parent: Any, key: Any, name: str) -> None:
    if isinstance(parent, dict):
        parent[name] = parent.pop(key)


def test_lists_of_any_length_are_compared_in_one_pass() -> None:
    most = 30_000
    columns = [f"c{i}" for i in range(most)]
    signature = Signature(
        inputs=[ScalarInput("x", columns=columns)], outputs=[Output(f"o{i}") for i in range(300)]
    )
    features = dict.fromkeys(columns, f"`a b` + t_{'x' * 80}")
    started = time.process_time()
    for kinds in (
        {f"none_{i}": "int" for i in range(most)},
        {"x" * i: "int" for i in range(1, 80)} | {f"none_{i}": "int" for i in range(most)},
    ):
        with pytest.raises(SignatureError, match="no feature reads a column 'none_0'"):
            dataclasses.replace(
                MANIFEST, signature=signature, features=features, source_types=kinds
            )
    few = {"a b": "int", "x": "int", f"T_{'x' * 80}": "int", "t_": "date"}
    made = dataclasses.replace(MANIFEST, signature=signature, features=features, source_types=few)
    assert made.source_types == few
    assert time.process_time() - started < 60
